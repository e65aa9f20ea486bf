/**
 * What a pickle becomes: inert values. Python's int, float, str, None and bool are JavaScript's (an int beyond 2^53 is a
 * bigint); everything else is one of the classes below. Nothing is ever executed.
 */
export type PickleValue =
  null | boolean | number | bigint | string | PickleList | PickleTuple | PickleDict | PickleGlobal | PickleMade;

/** A list or a set; for what is read here they are the same. */
export class PickleList {
  readonly items: PickleValue[] = [];
}

/** A bare array: a record around it would take as much memory again, and a file may hold a million of one item. */
export type PickleTuple = readonly PickleValue[];

export function isPickleTuple(value: PickleValue | undefined): value is PickleTuple {
  return Array.isArray(value);
}

const NO_ENTRIES: ReadonlyMap<PickleValue, PickleValue> = new Map();

/** A dict of any kind. A Map, so that a key such as `__proto__` is a key like any other. */
export class PickleDict {
  #entries: Map<PickleValue, PickleValue> | undefined;

  /** In the order of insertion. */
  get entries(): ReadonlyMap<PickleValue, PickleValue> {
    return this.#entries ?? NO_ENTRIES;
  }

  /** Most dicts of a checkpoint stay empty, and a Map is large. */
  set(key: PickleValue, value: PickleValue): void {
    this.#entries ??= new Map();
    this.#entries.set(key, value);
  }
}

/** A name of the allow-list: a function or class that a pickle may refer to. */
export class PickleGlobal {
  /**
   * @param name as Python spells it, such as `torch._utils._rebuild_tensor_v2`
   * @param call what this reader makes of a call; absent where the name is only ever an argument. `charge` must be told the
   * bytes of what it copies.
   */
  constructor(
    readonly name: string,
    readonly call?: (args: PickleTuple, charge: (bytes: number) => void) => PickleValue,
  ) {}
}

/** The base of what calls make: records that the format's reader defines. */
export abstract class PickleMade {
  abstract readonly kind: string;
}

/** Something that has no meaning here, such as bytes or a device: all that is known is its kind. */
export class PickleOpaque extends PickleMade {
  constructor(readonly kind: string) {
    super();
  }
}

/** Names a value in an error message. */
export function pickleKind(value: PickleValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'None';
  if (value instanceof PickleGlobal) return value.name;
  if (value instanceof PickleList) return 'a list';
  if (isPickleTuple(value)) return 'a tuple';
  if (value instanceof PickleDict) return 'a dict';
  if (value instanceof PickleMade) return value.kind;
  if (typeof value === 'string') return 'a string';
  return typeof value === 'boolean' ? 'a bool' : `${value}`;
}
