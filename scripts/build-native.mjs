// Builds the addon with node-gyp. Node's own headers are used where they lie beside the running
// Node (<prefix>/include/node): then nothing is downloaded. Extra arguments go to node-gyp.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const runs = (command, args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;

function missingTool() {
  if (process.platform === 'win32') return undefined; // node-gyp itself finds and names Visual Studio
  const compiler = process.env.CXX ?? (process.platform === 'darwin' ? 'c++' : 'g++');
  if (!runs(compiler.split(' ')[0], ['--version'])) return compiler;
  if (!runs('make', ['--version'])) return 'make';
  if (!runs(process.env.npm_config_python ?? process.env.PYTHON ?? 'python3', ['--version'])) return 'python3';
  return undefined;
}

const missing = missingTool();
if (missing) {
  const remedy =
    process.platform === 'darwin'
      ? 'run `xcode-select --install`'
      : 'install them, for instance `apt-get install g++ make python3`';
  console.error(
    `qgemm: building the native addon needs a C++17 compiler, make and Python 3, and "${missing}" was not found: ${remedy}.`,
  );
  process.exit(1);
}

const prefix = dirname(dirname(process.execPath));
const nodedir = existsSync(join(prefix, 'include', 'node', 'node_api.h')) ? [`--nodedir=${prefix}`] : [];
const nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
const jobs = process.env.JOBS ? [] : ['--jobs=max'];
const extra = process.argv.slice(2);
const command = extra[0] === 'build' || extra[0] === 'configure' ? [] : ['rebuild'];
const args = [nodeGyp, ...command, ...nodedir, ...jobs, '--loglevel=warn', ...extra];
const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
if (status !== 0) console.error('qgemm: the native addon did not build; the compiler output above says why.');
process.exit(status ?? 1);
