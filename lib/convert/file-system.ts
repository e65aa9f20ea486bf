import * as fs from 'node:fs';

/** The calls that write an output. Tests put one that fails in its place. */
export type FileSystem = Pick<
  typeof fs,
  | 'closeSync'
  | 'fchmodSync'
  | 'fsyncSync'
  | 'ftruncateSync'
  | 'mkdirSync'
  | 'openSync'
  | 'readdirSync'
  | 'readFileSync'
  | 'readSync'
  | 'renameSync'
  | 'rmSync'
  | 'statSync'
  | 'writeSync'
>;

export const nodeFileSystem: FileSystem = fs;

/** Writes all bytes, however few the system takes at a time. */
export function writeAll(fileSystem: FileSystem, fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) {
    const count = fileSystem.writeSync(fd, bytes, done, Math.min(bytes.length - done, 2 ** 30), position + done);
    if (count === 0) throw new Error('the system takes no more bytes');
    done += count;
  }
}
