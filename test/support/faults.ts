import { nodeFileSystem, type FileSystem } from '../../lib/convert/file-system.js';

export type Call = keyof FileSystem;

/** What fails, fails as the call itself does. */
const ASYNCHRONOUS: readonly Call[] = ['write', 'fsync', 'rename'];

/**
 * The calls that a conversion makes, each passing through `before` with its number (from 1), its name and its arguments.
 * What `before` returns, unless undefined, is returned instead of calling the system.
 */
export function watchedFileSystem(
  before: (number: number, name: Call, args: unknown[]) => unknown,
): FileSystem & { calls: Call[] } {
  const calls: Call[] = [];
  const wrap = (name: Call): unknown =>
    function (...args: unknown[]): unknown {
      calls.push(name);
      let replaced: unknown;
      try {
        replaced = before(calls.length, name, args);
      } catch (error) {
        if (ASYNCHRONOUS.includes(name)) return Promise.reject(error as Error);
        throw error;
      }
      return replaced === undefined ? (nodeFileSystem[name] as (...args: unknown[]) => unknown)(...args) : replaced;
    };
  const names: Call[] = [
    'closeSync',
    'fchmodSync',
    'fsync',
    'ftruncateSync',
    'mkdirSync',
    'openSync',
    'readdirSync',
    'readFileSync',
    'readSync',
    'rename',
    'renameSync',
    'rmSync',
    'statSync',
    'write',
    'writeSync',
  ];
  return { calls, ...Object.fromEntries(names.map((name) => [name, wrap(name)])) } as FileSystem & { calls: Call[] };
}

/** The error that the system gives under a code such as `ENOSPC`. */
export function systemError(code: string, name: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: simulated, ${name}`), { code });
}
