import * as fs from 'node:fs';
import { promisify } from 'node:util';

/** The calls that write an output. Tests put one that fails in its place. */
export interface FileSystem extends Pick<
  typeof fs,
  | 'closeSync'
  | 'fchmodSync'
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
> {
  /** `fs.write` on a thread of libuv: the number of bytes that the system took. */
  write(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): Promise<number>;
  /** `fs.fsync` on a thread of libuv: it takes as long as the disk does. */
  fsync(fd: number): Promise<void>;
  /** `fs.rename` on a thread of libuv: freeing the blocks of what is replaced takes long where it is large. */
  rename(from: string, to: string): Promise<void>;
}

export const nodeFileSystem: FileSystem = {
  ...fs,
  write: (fd, bytes, offset, length, position) =>
    new Promise((resolve, reject) => {
      fs.write(fd, bytes, offset, length, position, (error, count) =>
        error === null ? resolve(count) : reject(error),
      );
    }),
  fsync: promisify(fs.fsync),
  rename: promisify(fs.rename),
};

/** Writes all bytes, however few the system takes at a time, while this thread does something else. */
export async function writeAll(fileSystem: FileSystem, fd: number, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const length = Math.min(bytes.length - done, MAX_CALL_BYTES);
    done += taken(await fileSystem.write(fd, bytes, done, length, position + done));
  }
}

/** As `writeAll`, for a few bytes: in this thread. */
export function writeAllSync(fileSystem: FileSystem, fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) {
    const length = Math.min(bytes.length - done, MAX_CALL_BYTES);
    done += taken(fileSystem.writeSync(fd, bytes, done, length, position + done));
  }
}

/** What Linux takes in one call is less than 2 GB. */
const MAX_CALL_BYTES: number = 2 ** 30;

function taken(count: number): number {
  if (count === 0) throw new Error('the system takes no more bytes');
  return count;
}
