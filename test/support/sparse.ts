import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';

/** Writes a safetensors model of F32 matrices of zeros, which takes no room on the disk. */
export function writeSparse(path: string, shapes: Record<string, [number, number]>): void {
  const header: Record<string, object> = {};
  let end = 0;
  for (const [name, [rows, columns]] of Object.entries(shapes)) {
    const bytes = rows * columns * 4;
    header[name] = { dtype: 'F32', shape: [rows, columns], data_offsets: [end, end + bytes] };
    end += bytes;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const fd = openSync(path, 'w');
  writeSync(fd, length);
  writeSync(fd, json);
  ftruncateSync(fd, 8 + json.length + end);
  closeSync(fd);
}
