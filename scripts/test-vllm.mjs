// Whether vLLM loads and runs what we write: test/vllm (arguments go to vitest), in an environment of its own. Not part of CI,
// for its size: needs Linux on x86-64, Python 3 with venv and, the first time, PyPI, some minutes and 2 GB of disk.
import { join } from 'node:path';
import { python } from './python.mjs';
import { cache, root, run } from './tools.mjs';

const scripts = join(root, 'scripts', 'interop');
const interpreter = python('venv-vllm', join(scripts, 'vllm-requirements.txt'), ['--no-deps']);
run(interpreter, ['-W', 'ignore', join(scripts, 'models_vllm.py'), join(cache, 'vllm')]);
process.env.QGEMM_TEST_PYTHON = interpreter;
run(process.execPath, [
  join(root, 'node_modules', 'vitest', 'vitest.mjs'),
  'run',
  '--config',
  'vitest.vllm.config.mts',
  ...process.argv.slice(2),
]);
