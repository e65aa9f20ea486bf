import { spawn, spawnSync, type ChildProcess, type SpawnSyncReturns } from 'node:child_process';
import { join } from 'node:path';

export const cliPath: string = join(__dirname, '..', '..', 'dist', 'cli.js');

/** Runs `qgemm` to its end. */
export function qgemm(...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [cliPath, ...args], { encoding: 'utf8' });
}

/** Starts `qgemm`; standard error can be read as it comes. */
export function startQgemm(...args: string[]): ChildProcess {
  return spawn(process.execPath, [cliPath, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}
