// A Python virtual environment with pinned packages, made once and kept in .cache.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cache, need, run } from './tools.mjs';

export const pip = ['-m', 'pip', '--quiet', '--disable-pip-version-check'];

/** The interpreter of `.cache/<name>`, which has what the requirements file says. */
export function python(name, requirements) {
  const folder = join(cache, name);
  const interpreter = join(folder, 'bin', 'python');
  const digest = createHash('sha256').update(readFileSync(requirements)).digest('hex');
  const installed = join(folder, `installed-${digest.slice(0, 16)}`);
  if (existsSync(installed)) return interpreter;
  const system = process.env.PYTHON ?? 'python3';
  need(system, 'python3 python3-venv');
  run(system, ['-m', 'venv', '--clear', folder]);
  run(interpreter, [...pip, 'install', '-r', requirements]);
  writeFileSync(installed, '');
  return interpreter;
}
