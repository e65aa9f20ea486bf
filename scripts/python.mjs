// A Python virtual environment with pinned packages, made once and kept in .cache.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cache, need, run } from './tools.mjs';

export const pip = ['-m', 'pip', '--quiet', '--disable-pip-version-check'];

function environment(name, requirements) {
  const folder = join(cache, name);
  const digest = createHash('sha256').update(readFileSync(requirements)).digest('hex');
  return {
    folder,
    interpreter: join(folder, 'bin', 'python'),
    installed: join(folder, `installed-${digest.slice(0, 16)}`),
  };
}

/** The interpreter of `.cache/<name>`, if `python` has made it for this requirements file before. */
export function installedPython(name, requirements) {
  const { interpreter, installed } = environment(name, requirements);
  return existsSync(installed) ? interpreter : undefined;
}

/** The interpreter of `.cache/<name>`, which has what the requirements file says; `options` go to `pip install`. */
export function python(name, requirements, options = []) {
  const { folder, interpreter, installed } = environment(name, requirements);
  if (existsSync(installed)) return interpreter;
  const system = process.env.PYTHON ?? 'python3';
  need(system, 'python3 python3-venv');
  run(system, ['-m', 'venv', '--clear', folder]);
  run(interpreter, [...pip, 'install', ...options, '-r', requirements]);
  writeFileSync(installed, '');
  return interpreter;
}
