// Small helpers of the scripts in this folder.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Downloads and staged builds; git ignores it. */
export const cache = join(root, '.cache');

export const found = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;

/** Ends the program with one sentence when a tool is missing. */
export function need(command, packages) {
  if (found(command)) return;
  console.error(
    `qgemm: this needs "${command}", which was not found: install it, for instance \`apt-get install ${packages}\`.`,
  );
  process.exit(1);
}

/** Runs a command in the foreground; ends the program when it fails. */
export function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (status === 0) return;
  console.error(`qgemm: "${[command, ...args].join(' ')}" failed${error ? `: ${error.message}` : ''}`);
  process.exit(status ?? 1);
}

/** Runs the tests of a vitest configuration; `args` are arguments of vitest. Ends the program when one fails. */
export function runTests(config, args) {
  run(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--config', config, ...args]);
}

/** Writes an executable file that starts `command` with its own arguments appended. Returns its path. */
export function launcher(name, command) {
  mkdirSync(join(cache, 'launchers'), { recursive: true });
  const path = join(cache, 'launchers', name);
  const quoted = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  writeFileSync(path, `#!/bin/sh\nexec ${quoted} "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}
