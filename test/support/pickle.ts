/** What a test puts into a pickle; strings, integers below 2^31, floats, booleans and null stand for themselves. */
export type Pickled =
  | null
  | boolean
  | number
  | string
  | readonly Pickled[] // a list
  | Map<Pickled, Pickled>
  | Tuple
  | Global
  | Call
  | PersistentId
  | Raw;

export class Tuple {
  readonly items: readonly Pickled[];
  constructor(...items: Pickled[]) {
    this.items = items;
  }
}

/** `module.name`; the module ends at the last dot. */
export class Global {
  constructor(readonly name: string) {}
}

export class Call {
  readonly args: Tuple;
  constructor(
    readonly callable: string,
    ...args: Pickled[]
  ) {
    this.args = new Tuple(...args);
  }
}

export class PersistentId {
  constructor(readonly id: Pickled) {}
}

/** Opcodes as they are. */
export class Raw {
  constructor(readonly bytes: Uint8Array) {}
}

const bytes = (...parts: (string | number | Uint8Array)[]): Buffer =>
  Buffer.concat(
    parts.map((part) =>
      typeof part === 'string' ? Buffer.from(part, 'latin1') : typeof part === 'number' ? Buffer.of(part) : part,
    ),
  );

function little(write: 'writeInt32LE' | 'writeUInt32LE' | 'writeDoubleBE', value: number): Buffer {
  const buffer = Buffer.alloc(write === 'writeDoubleBE' ? 8 : 4);
  buffer[write](value);
  return buffer;
}

function encode(value: Pickled): Buffer {
  if (value === null) return bytes('N');
  if (typeof value === 'boolean') return bytes(value ? 0x88 : 0x89);
  if (typeof value === 'number') {
    if (Number.isInteger(value) && Math.abs(value) < 2 ** 31) return bytes('J', little('writeInt32LE', value));
    if (!Number.isInteger(value)) return bytes('G', little('writeDoubleBE', value));
    const long = Buffer.alloc(9);
    long.writeBigInt64LE(BigInt.asIntN(64, BigInt(value)));
    return bytes(0x8a, 9, long);
  }
  if (typeof value === 'string') {
    const text = Buffer.from(value);
    return bytes('X', little('writeUInt32LE', text.length), text);
  }
  if (value instanceof Tuple) return bytes('(', ...value.items.map(encode), 't');
  if (value instanceof Map)
    return bytes('}(', ...[...value].flatMap(([key, item]) => [encode(key), encode(item)]), 'u');
  if (value instanceof Global) {
    const dot = value.name.lastIndexOf('.');
    return bytes(`c${value.name.slice(0, dot)}\n${value.name.slice(dot + 1)}\n`);
  }
  if (value instanceof Call) return bytes(encode(new Global(value.callable)), encode(value.args), 'R');
  if (value instanceof PersistentId) return bytes(encode(value.id), 'Q');
  if (value instanceof Raw) return bytes(value.bytes);
  return bytes('](', ...value.map(encode), 'e');
}

/** A pickle of protocol 2, written as `pickletools` documents it, with none of the library's code. */
export function pickle(value: Pickled): Buffer {
  return bytes(0x80, 2, encode(value), '.');
}

/** Opcodes between the protocol and the end of a pickle; numbers are bytes. */
export function opcodes(...parts: (string | number | Uint8Array)[]): Buffer {
  return bytes(0x80, 2, ...parts);
}
