// Runs the tests on every instruction set that can be had here: what this CPU has, under QGEMM_MAX_ISA; older x86 CPUs
// under qemu-x86_64; arm64, cross-built, under qemu-aarch64 with an arm64 Node from npm.
//   node scripts/test-isas.mjs [--native] [--qemu] [--arm64] [--suite] [-- filters of vitest]
// Without --native, --qemu or --arm64: all three. Emulated CPUs run the C++ tests and the tests that reach kernels. With
// --suite the x86 ones, and arm64 with scalar kernels, run the whole suite, which takes an hour. Arm CPUs other than the best
// one run few of the JavaScript tests.
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { buildAddonFor, fetchNode } from './cross-build.mjs';
import { found, launcher, need, root, run } from './tools.mjs';

const ISAS = {
  x64: ['scalar', 'avx2', 'avxvnni', 'avx512', 'avx512vnni'],
  arm64: ['scalar', 'neon', 'neondot', 'neoni8mm'],
}[process.arch] ?? ['scalar'];
const X86_CPUS = [
  { cpu: 'Nehalem', isa: 'scalar' },
  // Without what qemu cannot emulate: it would say so on stderr in every process.
  { cpu: 'Haswell', options: ',rtm=off,hle=off,pcid=off,x2apic=off,tsc-deadline=off,invpcid=off', isa: 'avx2' },
];
// Whether the addon loads, chooses its kernels and gives the right numbers; all kernels run in the C++ tests anyway.
const FEW_TESTS = ['test/linear.test', 'test/matmul-integer', 'test/golden-torch'];
// Under --native the suite has run already with the best ISA: these are the tests that reach kernels.
const KERNEL_TESTS = ['linear', 'packed-weights', 'quantize', 'golden', 'matmul-integer', 'matmul-quantized'];
// Left out of the suite on emulated CPUs: parsers and writers of files are the same TypeScript on every CPU, these tests
// hold them to seconds and megabytes of a real one, and they have run natively already.
const FILE_TESTS = [
  'hostile',
  'fuzz',
  'formats-*',
  'convert*',
  'cli*',
  'report*',
  '*writer*',
  '*compressed*',
  'recipe*',
];

const ARM_CPUS = [
  { cpu: 'cortex-a72', isa: 'neon', tests: FEW_TESTS },
  { cpu: 'neoverse-n1', isa: 'neondot', tests: FEW_TESTS },
  { cpu: 'max', isa: 'neoni8mm', tests: KERNEL_TESTS },
];

const WITHOUT_FILES = FILE_TESTS.flatMap((name) => [`--exclude=test/${name}/**`, `--exclude=test/${name}.test.ts`]);

const [flags, filters] = splitArguments(process.argv.slice(2));
const results = [];

function splitArguments(args) {
  const at = args.indexOf('--');
  return at < 0 ? [args, []] : [args.slice(0, at), args.slice(at + 1)];
}

const places = flags.filter((flag) => flag !== '--suite');
const wanted = (flag) => places.length === 0 || places.includes(flag);
const suite = flags.includes('--suite');
const emulatedTests = suite ? WITHOUT_FILES : KERNEL_TESTS;
// Test files share processes: under an emulator, starting one for each takes longer than most of the tests. Not in the whole
// suite, where some count what a process holds.
const isolation = suite ? [] : ['--no-isolate'];

/** Runs vitest and notes the outcome. */
function vitest(title, env, tests) {
  console.log(`\n=== ${title}`);
  const started = Date.now();
  const args = [
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    ...isolation,
    ...(filters.length > 0 ? filters : tests),
  ];
  const { status } = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  results.push({ title, passed: status === 0, seconds: (Date.now() - started) / 1000 });
}

/** The ISA that the package chooses when Node starts through `node`. */
function chosenIsa(node, env = {}) {
  const program = `console.log(require(${JSON.stringify(join(root, 'dist/index.js'))}).cpuInfo().isa)`;
  return execFileSync(node, ['-e', program], { encoding: 'utf8', env: { ...process.env, ...env } }).trim();
}

function expectIsa(title, isa, expected) {
  if (isa !== expected)
    results.push({ title: `${title}: chose ${isa}, expected ${expected}`, passed: false, seconds: 0 });
}

function testNative() {
  const best = chosenIsa(process.execPath);
  for (const isa of ISAS) {
    const env = { QGEMM_MAX_ISA: isa };
    const chosen = chosenIsa(process.execPath, env);
    // avx512 alone has no int8 kernel of its own, but float32 and quantization kernels.
    if (chosen !== isa && isa !== 'avx512') {
      console.log(`\n=== ${isa}: not run, this CPU lacks it (best here: ${best})`);
      continue;
    }
    vitest(`QGEMM_MAX_ISA=${isa}`, env, KERNEL_TESTS);
  }
}

function buildNativeTests(preset) {
  run(process.execPath, [join(root, 'scripts/test-native.mjs'), '--preset', preset, '--show-only']);
}

/** Runs a program to its end: {status, signal, stdout}. */
const finished = (program, args, env) =>
  new Promise((resolve) => {
    const child = execFile(program, args, { env, maxBuffer: 1 << 26 }, (error, stdout) =>
      resolve({ status: child.exitCode, signal: child.signalCode ?? error?.code, stdout }),
    );
  });

/** The C++ tests in an emulator, one on each core: every suite, and every kernel that the emulated CPU has. */
async function nativeTests(title, build, emulator, settings = {}) {
  const folder = join(root, 'build-native', build, 'native/test');
  const env = { ...process.env, QGEMM_TEST_SLOW_CPU: '1', ...settings };
  const start = (program, args) => finished(emulator[0], [...emulator.slice(1), join(folder, program), ...args], env);
  const started = Date.now();
  const { stdout: list } = await start('kernel_test', ['--list']);
  const kernels = list.split('\n').filter((line) => /^[a-z0-9]+(_[a-z0-9]+)+$/.test(line));
  const suites = readdirSync(folder).filter((name) => name.endsWith('_test') && name !== 'kernel_test');
  const runs = [...kernels.map((name) => ['kernel_test', name]), ...suites.map((suite) => [suite])];
  const counts = { passed: 0, skipped: 0, failed: 0 };
  const work = async () => {
    for (let run = runs.shift(); run; run = runs.shift()) {
      const [program, ...args] = run;
      const { status, signal, stdout } = await start(program, args);
      if (status === 0) counts.passed += 1;
      else if (status === 77) counts.skipped += 1;
      else {
        counts.failed += 1;
        console.log(`${program} ${args.join(' ')} failed under ${title} (${signal ?? status}):\n${stdout}`);
      }
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  const summary = `${title}, C++ tests: ${counts.passed} passed, ${counts.skipped} not run on this CPU, ${counts.failed} failed`;
  console.log(`\n=== ${summary}`);
  results.push({
    title: summary,
    passed: counts.failed === 0 && counts.passed > 0,
    seconds: (Date.now() - started) / 1000,
  });
}

async function testQemu() {
  need('qemu-x86_64', 'qemu-user');
  buildNativeTests('release');
  for (const { cpu, options = '', isa } of X86_CPUS) {
    const emulator = ['qemu-x86_64', '-cpu', cpu + options];
    const node = launcher(`node-${cpu}`, [...emulator, process.execPath]);
    expectIsa(cpu, chosenIsa(node), isa);
    await nativeTests(cpu, 'release', emulator, { QGEMM_TEST_GUARD_SLACK: '1' });
    vitest(`emulated ${cpu} (${isa})`, { QGEMM_TEST_LAUNCHER: node, QGEMM_TEST_SLOW_CPU: '1' }, emulatedTests);
  }
}

async function testArm64() {
  need('qemu-aarch64', 'qemu-user');
  need('aarch64-linux-gnu-g++', 'g++-aarch64-linux-gnu');
  buildNativeTests('arm64-qemu');
  buildAddonFor('arm64');
  const binary = fetchNode('arm64', process.versions.node);
  for (const { cpu, isa, tests } of ARM_CPUS) {
    const emulator = ['qemu-aarch64', '-cpu', cpu, '-L', '/usr/aarch64-linux-gnu'];
    const node = launcher(`node-${cpu}`, [...emulator, binary]);
    expectIsa(cpu, chosenIsa(node), isa);
    await nativeTests(cpu, 'arm64-qemu', emulator);
    const env = { QGEMM_TEST_LAUNCHER: node, QGEMM_TEST_SLOW_CPU: '1' };
    vitest(`emulated arm64 ${cpu} (${isa})`, env, tests);
  }
  const env = { QGEMM_TEST_LAUNCHER: launcher('node-arm64', ['qemu-aarch64', '-L', '/usr/aarch64-linux-gnu', binary]) };
  vitest(
    'emulated arm64, scalar kernels',
    { ...env, QGEMM_TEST_SLOW_CPU: '1', QGEMM_MAX_ISA: 'scalar' },
    emulatedTests,
  );
}

if (!existsSync(join(root, 'dist/index.js'))) run('npm', ['run', 'build']);
if (wanted('--native')) testNative();
if (wanted('--qemu') && process.arch === 'x64' && found('qemu-x86_64')) await testQemu();
else if (wanted('--qemu')) need('qemu-x86_64', 'qemu-user');
if (wanted('--arm64')) await testArm64();

console.log('');
for (const { title, passed, seconds } of results)
  console.log(`${passed ? 'pass' : 'FAIL'} ${seconds.toFixed(0).padStart(5)} s  ${title}`);
process.exit(results.every((result) => result.passed) && results.length > 0 ? 0 : 1);
