// Builds kernel_bench (native/bench) with CMake and runs it: every kernel alone, in percent of what limits it.
//   node scripts/bench-kernels.mjs [options of kernel_bench; --help names them]
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { found, need, root, run } from './tools.mjs';

need('cmake', 'cmake');
const generator = found('ninja') ? 'Ninja' : 'Unix Makefiles';
// What the build says goes to standard error, so that --json can be piped.
const quietly = { stdio: ['ignore', process.stderr, 'inherit'] };
run('cmake', ['--preset', 'release', '-G', generator], quietly);
run(
  'cmake',
  ['--build', '--preset', 'release', '--parallel', String(availableParallelism()), '--target', 'kernel_bench'],
  quietly,
);
run(join(root, 'build-native/release/native/bench/kernel_bench'), process.argv.slice(2));
