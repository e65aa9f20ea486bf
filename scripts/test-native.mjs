// Builds the native tests with CMake into build-native/<preset> and runs ctest.
//   node scripts/test-native.mjs [--preset release|asan|tsan|fuzz|arm64-qemu] [arguments of ctest]
import { availableParallelism } from 'node:os';
import { found, need, run } from './tools.mjs';

const extra = process.argv.slice(2);
const at = extra.indexOf('--preset');
const preset = at < 0 ? 'release' : extra.splice(at, 2)[1];

need('cmake', 'cmake');
if (preset === 'arm64-qemu') {
  need('aarch64-linux-gnu-g++', 'g++-aarch64-linux-gnu');
  need('qemu-aarch64', 'qemu-user');
  process.env.QGEMM_TEST_SLOW_CPU ??= '1';
}
const generator = found('ninja') ? 'Ninja' : 'Unix Makefiles';
const jobs = String(availableParallelism());
run('cmake', ['--preset', preset, '-G', generator]);
run('cmake', ['--build', '--preset', preset, '--parallel', jobs]);
run('ctest', ['--preset', preset, '--parallel', jobs, ...extra]);
