/** A GGUF tensor to write: `data` are its bytes, whatever type and shape say. */
export interface TestGgufTensor {
  name: string | Buffer;
  /** Number of the type: 0 is F32. */
  type?: number;
  /** Fastest dimension first, as in the file. */
  dims: (number | bigint)[];
  data?: ArrayBufferView;
  /** From the start of the data; what follows the tensor before it by default. */
  offset?: number | bigint;
  rank?: number;
}

export interface TestGguf {
  magic?: string;
  version?: number;
  /** Encoded by `kv`. */
  keys?: Buffer[];
  keyCount?: number | bigint;
  tensors?: TestGgufTensor[];
  tensorCount?: number | bigint;
  alignment?: number;
  /** Bytes after the last tensor. */
  tail?: number;
}

export const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

export const u64 = (value: number | bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};

/** A string as GGUF has it; `length` lies about its bytes. */
export const text = (value: string | Buffer, length?: number | bigint): Buffer => {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([u64(length ?? bytes.length), bytes]);
};

/** Key, value type and the bytes of the value. */
export const kv = (key: string | Buffer, type: number, value: Buffer): Buffer =>
  Buffer.concat([text(key), u32(type), value]);

/** The bytes of an array value. */
export const array = (type: number, count: number | bigint, ...items: Buffer[]): Buffer =>
  Buffer.concat([u32(type), u64(count), ...items]);

function view(data: ArrayBufferView | undefined): Buffer {
  return data === undefined ? Buffer.alloc(0) : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** A GGUF file written as its specification reads, with none of the library's code; nothing is checked. */
export function ggufBytes(file: TestGguf): Buffer {
  const { magic = 'GGUF', version = 3, keys = [], tensors = [], alignment = 32, tail = 0 } = file;
  const align = (length: number): number => Math.ceil(length / alignment) * alignment;
  const infos: Buffer[] = [];
  const data: Buffer[] = [];
  let offset = 0;
  for (const tensor of tensors) {
    const bytes = view(tensor.data);
    const padded = Buffer.alloc(align(bytes.length));
    bytes.copy(padded);
    data.push(padded);
    infos.push(
      text(tensor.name),
      u32(tensor.rank ?? tensor.dims.length),
      ...tensor.dims.map(u64),
      u32(tensor.type ?? 0),
      u64(tensor.offset ?? offset),
    );
    offset += padded.length;
  }
  const header = Buffer.concat([
    Buffer.from(magic, 'latin1'),
    u32(version),
    u64(file.tensorCount ?? tensors.length),
    u64(file.keyCount ?? keys.length),
    ...keys,
    ...infos,
  ]);
  const padding = Buffer.alloc(align(header.length) - header.length);
  return Buffer.concat([header, padding, ...data, Buffer.alloc(tail)]);
}
