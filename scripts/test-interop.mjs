// What others write, and whether others read what we write: scripts/interop/make_<format>.py makes files with the original
// packages in .cache/interop/<format>, then the tests of test/interop run (arguments go to vitest). Needs Python 3 with
// venv, and PyPI the first time.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { python } from './python.mjs';
import { cache, root, run, runTests } from './tools.mjs';

const scripts = join(root, 'scripts', 'interop');
const interpreter = python('venv-interop', join(scripts, 'requirements.txt'));
for (const name of readdirSync(scripts).sort()) {
  const format = /^make_(.+)\.py$/.exec(name)?.[1];
  if (format !== undefined) run(interpreter, [join(scripts, name), join(cache, 'interop', format)]);
}
process.env.QGEMM_TEST_PYTHON = interpreter;
runTests('vitest.interop.config.mts', process.argv.slice(2));
