import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
  type Stats,
} from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { QgemmError, show } from '../errors.js';
import { ioError } from '../formats/file.js';

/** Files that are being written by this process: removed when it exits in the middle. */
const unfinished = new Set<AtomicFile>();
let watchesExit = false;

/**
 * A file that appears complete or not at all. Bytes go to a temporary file in the same folder; `commit` syncs it and renames
 * it to its name, `abort` removes it. What was there before stays untouched until the rename.
 */
export class AtomicFile {
  readonly path: string;
  readonly #temporary: string;
  #fd: number;
  #size = 0;

  /** @throws QgemmError IO */
  constructor(path: string) {
    const existing = statIfExists(path);
    if (existing !== undefined && !existing.isFile()) {
      throw new QgemmError('ERR_QGEMM_IO', `cannot write ${show(path)}: it exists and is not a regular file`);
    }
    // A link stays a link: the file that it points at is replaced.
    this.path = existing === undefined ? resolve(path) : realpathSync(path);
    const prefix = temporaryPrefix(this.path);
    removeStale(this.path, prefix);
    this.#temporary = join(dirname(this.path), `${prefix}${process.pid}-${randomBytes(6).toString('hex')}.tmp`);
    try {
      this.#fd = openSync(this.#temporary, 'wx');
    } catch (error) {
      throw ioError('write', path, error);
    }
    unfinished.add(this);
    watchExit();
    if (existing !== undefined) this.#keepMode(existing.mode);
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#size;
  }

  write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const count = this.#guard(() => writeSync(this.#fd, bytes, done, Math.min(bytes.length - done, 2 ** 30)));
      if (count === 0)
        throw new QgemmError('ERR_QGEMM_IO', `cannot write ${show(this.path)}: the system takes no more bytes`);
      done += count;
    }
    this.#size += bytes.length;
  }

  /** Makes the file appear under its name, on the disk and in its folder. */
  commit(): void {
    this.#guard(() => fsyncSync(this.#fd));
    this.#close();
    this.#guard(() => renameSync(this.#temporary, this.path));
    unfinished.delete(this);
    this.#guard(() => syncFolder(dirname(this.path)));
  }

  /** Removes what was written. Does nothing after `commit`. */
  abort(): void {
    if (!unfinished.delete(this)) return;
    this.#close();
    try {
      unlinkSync(this.#temporary);
    } catch {
      // Somebody else removed it, or the folder is gone: nothing is left either way.
    }
  }

  #keepMode(mode: number): void {
    try {
      this.#guard(() => fchmodSync(this.#fd, mode & 0o777));
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  #close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  #guard<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw ioError('write', this.path, error);
    }
  }
}

function statIfExists(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw ioError('write', path, error);
  }
}

/** A rename lasts only when the folder is synced. Windows has no such call. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function temporaryPrefix(path: string): string {
  return `.${basename(path).slice(0, 48)}.qgemm-${machine()}-`;
}

/** Names the process id's realm: an id says nothing on another host or in another container. */
function machine(): string {
  let namespace = '';
  try {
    namespace = readlinkSync('/proc/self/ns/pid');
  } catch {
    // Not Linux, or no /proc: the host's name must do.
  }
  return createHash('sha256').update(`${hostname()} ${namespace}`).digest('hex').slice(0, 8);
}

/** Removes temporary files that processes killed in the middle have left. */
function removeStale(path: string, prefix: string): void {
  const folder = dirname(path);
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return; // creating the file will say what is wrong
  }
  for (const name of names) {
    const pid = name.startsWith(prefix) ? /^([0-9]+)-[0-9a-f]+\.tmp$/.exec(name.slice(prefix.length))?.[1] : undefined;
    if (pid === undefined || isAlive(Number(pid))) continue;
    try {
      unlinkSync(join(folder, name));
    } catch {
      // Another process was quicker.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function watchExit(): void {
  if (watchesExit) return;
  watchesExit = true;
  process.on('exit', () => {
    for (const file of [...unfinished]) file.abort();
  });
}
