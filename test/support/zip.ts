import { deflateRawSync } from 'node:zlib';

/** A file to put into an archive. What is given besides `name` and `data` is written as it is, right or wrong. */
export interface TestZipFile {
  name: string | Buffer;
  data: Uint8Array;
  deflate?: boolean;
  /** Of both headers. */
  flags?: number;
  method?: number;
  crc?: number;
  size?: number;
  compressedSize?: number;
  /** The local header has no sizes: a descriptor after the data has. */
  streamed?: boolean;
  /** Of the local header only. */
  localName?: string;
  localMethod?: number;
  localSize?: number;
  /** Of the central directory only. */
  offset?: number;
  extra?: Buffer;
}

export interface TestZipOptions {
  comment?: string;
  /** Writes the zip64 end record and its locator, as PyTorch does for every file. */
  zip64?: boolean;
  /** Of the end records. */
  count?: number;
  directorySize?: number;
  directoryOffset?: number;
}

/** CRC-32 bit by bit. */
export function crc32(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

function fields(...values: [bytes: 2 | 4 | 8, value: number][]): Buffer {
  return Buffer.concat(
    values.map(([bytes, value]) => {
      const buffer = Buffer.alloc(bytes);
      if (bytes === 2) buffer.writeUInt16LE(value);
      else if (bytes === 4) buffer.writeUInt32LE(value);
      else buffer.writeBigUInt64LE(BigInt(value));
      return buffer;
    }),
  );
}

/** A zip archive written as APPNOTE reads, with none of the library's code. */
export function zipBytes(files: readonly TestZipFile[], options: TestZipOptions = {}): Buffer {
  const parts: Buffer[] = [];
  const records: Buffer[] = [];
  let position = 0;
  const add = (...buffers: Buffer[]): void => {
    for (const buffer of buffers) {
      parts.push(buffer);
      position += buffer.length;
    }
  };
  for (const file of files) {
    const name = Buffer.from(file.name);
    const data = Buffer.from(file.deflate ? deflateRawSync(file.data) : file.data);
    const method = file.method ?? (file.deflate ? 8 : 0);
    const flags = (file.flags ?? 0x800) | (file.streamed ? 8 : 0);
    const crc = file.crc ?? crc32(file.data);
    const sizes = [file.compressedSize ?? data.length, file.size ?? file.data.length] as const;
    const offset = file.offset ?? position;
    const local = Buffer.from(file.localName ?? name);
    add(fields([4, 0x04034b50], [2, 20], [2, flags], [2, file.localMethod ?? method], [4, 0]));
    if (file.streamed) add(fields([4, 0], [4, 0], [4, 0]));
    else add(fields([4, crc], [4, sizes[0]], [4, file.localSize ?? sizes[1]]));
    add(fields([2, local.length], [2, 0]), local, data);
    if (file.streamed) add(fields([4, 0x08074b50], [4, crc], [4, sizes[0]], [4, sizes[1]]));
    const extra = file.extra ?? Buffer.alloc(0);
    records.push(
      fields(
        [4, 0x02014b50],
        [2, 20],
        [2, 20],
        [2, flags],
        [2, method],
        [4, 0],
        [4, crc],
        [4, sizes[0]],
        [4, sizes[1]],
      ),
      fields([2, name.length], [2, extra.length], [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]),
      name,
      extra,
    );
  }
  const directory = Buffer.concat(records);
  const start = options.directoryOffset ?? position;
  const size = options.directorySize ?? directory.length;
  const count = options.count ?? files.length;
  add(directory);
  if (options.zip64) {
    const end = position;
    add(
      fields([4, 0x06064b50], [8, 44], [2, 45], [2, 45], [4, 0], [4, 0], [8, count], [8, count], [8, size], [8, start]),
    );
    add(fields([4, 0x07064b50], [4, 0], [8, end], [4, 1]));
  }
  const comment = Buffer.from(options.comment ?? '');
  add(fields([4, 0x06054b50], [2, 0], [2, 0], [2, Math.min(count, 0xffff)], [2, Math.min(count, 0xffff)]));
  add(fields([4, Math.min(size, 0xffffffff)], [4, Math.min(start, 0xffffffff)], [2, comment.length]), comment);
  return Buffer.concat(parts);
}
