// Times this working tree's native library against an earlier revision's, in one process: node scripts/bench-builds.mjs --help
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { cache, found, need, root, run } from './tools.mjs';

const SHAPES = '1x768x3072,16x768x3072,64x768x768';
const ACTIVATIONS = ['none', 'relu', 'gelu', 'gelu-tanh', 'silu']; // in the order of native/kernels/kernel.h
const HELP = `Usage: npm run bench:builds -- [options]

Builds the native library of an earlier revision (in .cache/builds) and of this working tree, and times Linear's work in
both, from C++, in one process: in interleaved rounds, and in both orders of packing the weights, because whoever comes
first gets the better memory. A ratio below 1 means that the working tree is faster.

  --base REVISION        the earlier revision (default: HEAD)
  --shapes MxKxN[,...]   (default: ${SHAPES})
  --threads N            (default: 1)
  --layers N             N matrices of each size, multiplied in turn (default: 1)
  --rounds N             rounds in each order (default: 9)
  --isa TAG              a ceiling for both, as in QGEMM_MAX_ISA
  --float32              float32 weights
  --activation NAME      ${ACTIVATIONS.join(', ')} (default: none)
  --help
`;

function usage(sentence) {
  console.error(`bench:builds: ${sentence}; --help lists the options`);
  process.exit(2);
}

function options() {
  const count = { type: 'string' };
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        base: { type: 'string', default: 'HEAD' },
        shapes: { type: 'string', default: SHAPES },
        threads: { ...count, default: '1' },
        layers: { ...count, default: '1' },
        rounds: { ...count, default: '9' },
        isa: { type: 'string', default: '' },
        float32: { type: 'boolean', default: false },
        activation: { type: 'string', default: 'none' },
        help: { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    usage(error.message);
  }
  for (const name of ['threads', 'layers', 'rounds']) {
    if (!/^[1-9]\d{0,3}$/.test(values[name])) usage(`--${name} must be a number from 1 to 9999, got "${values[name]}"`);
  }
  const shapes = values.shapes.split(',');
  const bad = shapes.find((shape) => !/^[1-9]\d*x[1-9]\d*x[1-9]\d*$/.test(shape));
  if (bad !== undefined) usage(`--shapes must be MxKxN, with commas between, got "${bad}"`);
  if (!ACTIVATIONS.includes(values.activation)) {
    usage(`--activation must be one of ${ACTIVATIONS.join(', ')}, got "${values.activation}"`);
  }
  return { ...values, shapes };
}

function commitOf(revision) {
  try {
    const args = ['rev-parse', '--verify', '--quiet', `${revision}^{commit}`];
    return execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
  } catch {
    return usage(`--base must name a revision of this repository, got "${revision}"`);
  }
}

/** The sources of a commit, with the bench folder of the working tree: both builds must offer the same functions. */
function sourcesOf(commit) {
  const folder = join(cache, 'builds', commit);
  if (!existsSync(join(folder, 'CMakeLists.txt'))) {
    const unfinished = `${folder}.${process.pid}`;
    mkdirSync(unfinished, { recursive: true });
    const archive = execFileSync('git', ['archive', commit, 'native', 'CMakeLists.txt', 'CMakePresets.json'], {
      cwd: root,
      maxBuffer: 2 ** 30,
    });
    execFileSync('tar', ['x', '-C', unfinished], { input: archive });
    rmSync(folder, { recursive: true, force: true });
    renameSync(unfinished, folder);
  }
  cpSync(join(root, 'native/bench'), join(folder, 'native/bench'), { recursive: true });
  return folder;
}

function build(folder, targets) {
  const options = { cwd: folder, stdio: ['ignore', process.stderr, 'inherit'] };
  run('cmake', ['--preset', 'release', '-G', found('ninja') ? 'Ninja' : 'Unix Makefiles'], options);
  const jobs = String(availableParallelism());
  run('cmake', ['--build', '--preset', 'release', '--parallel', jobs, '--target', ...targets], options);
  return join(folder, 'build-native/release/native/bench');
}

const cells = ({ m, k, n, base, baseBest, ratio, ratios, same, ...row }) => [
  `${m}x${k}x${n}`,
  `${base.toPrecision(4)} (${baseBest.toPrecision(4)})`,
  `${row.new.toPrecision(4)} (${row.newBest.toPrecision(4)})`,
  ratio.toFixed(3),
  ratios.map((each) => each.toFixed(3)).join(' '),
  same ? '' : 'results differ',
];
const line = (columns) =>
  columns
    .map((text, i) => (i === 0 ? text.padEnd(18) : text.padStart([0, 20, 20, 8, 14, 15][i])))
    .join(' ')
    .trimEnd();

const chosen = options();
if (chosen.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
if (process.platform === 'win32') usage('this needs Linux or macOS');
need('cmake', 'cmake');
need('git', 'git');
const commit = commitOf(chosen.base);
const base = build(sourcesOf(commit), ['bench_layer']);
const changed = build(root, ['bench_layer', 'compare_builds']);

console.log(
  `base: ${commit.slice(0, 10)}; new: the working tree. µs of a call: median (best); ratio: new by base, and in each order\n`,
);
console.log(line(['M x K x N', 'base', 'new', 'ratio', 'each order', '']));
const libraries = [base, changed].map((folder) => join(folder, 'libbench_layer.so'));
const { threads, layers, rounds, isa, float32, activation, shapes } = chosen;
const fixed = [threads, layers, rounds, float32 ? 'float32' : 'int8', String(ACTIVATIONS.indexOf(activation)), isa];
const child = spawn(join(changed, 'compare_builds'), [...libraries, ...fixed, ...shapes], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
for await (const text of createInterface({ input: child.stdout })) console.log(line(cells(JSON.parse(text))));
if (child.exitCode === null) await new Promise((resolve) => child.once('close', resolve));
process.exitCode = child.exitCode ?? 1;
