import { createHash, randomBytes } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { FileSystem } from './file-system.js';

/** Beside a temporary file or folder: what of it is complete. */
export const JOURNAL_SUFFIX = '.journal';

/** A new name beside `path` for what is being written. It tells which process writes. */
export function temporaryPath(path: string): string {
  return join(dirname(path), `${temporaryPrefix(path)}${process.pid}-${randomBytes(6).toString('hex')}.tmp`);
}

/** Temporary files and folders for `path` whose processes have ended, newest first where the system tells. */
export function staleTemporaries(fileSystem: FileSystem, path: string): string[] {
  const folder = dirname(path);
  const prefix = temporaryPrefix(path);
  let names: string[];
  try {
    names = fileSystem.readdirSync(folder);
  } catch {
    return []; // creating the file will say what is wrong
  }
  const stale = new Set<string>();
  for (const name of names) {
    const match = name.startsWith(prefix)
      ? /^([0-9]+)-[0-9a-f]+\.tmp(?:\.journal)?$/.exec(name.slice(prefix.length))
      : null;
    if (match !== null && !isAlive(Number(match[1]))) stale.add(join(folder, name.replace(/\.journal$/, '')));
  }
  return [...stale];
}

/** Removes a temporary file or folder and its journal. */
export function removeTemporary(fileSystem: FileSystem, temporary: string): void {
  for (const path of [temporary, temporary + JOURNAL_SUFFIX]) {
    try {
      fileSystem.rmSync(path, { recursive: true, force: true });
    } catch {
      // Another process was quicker, or the folder is gone: nothing is left either way.
    }
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

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
