// Looks at the disassembly of every GEMM kernel that was built: the hot loop's instructions per multiply-add, and whether
// anything in it, or in the loops of smaller tiles, goes to the stack. Prints a Markdown table (docs/kernel-benchmarks.md); exits
// with 1 when such a loop has spills.
//   node scripts/inspect-kernels.mjs [--arch x64|arm64] [--loops]     --loops prints the loops themselves
import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { countLoop } from './count-loop.mjs';
import { disassemble, innermostLoops } from './disassembly.mjs';
import { cache, found, root } from './tools.mjs';

/** Where builds leave objects, and what reads them: the addon's, and the cross builds' for arm64. */
const BUILDS = [
  { arch: process.arch, folder: join(root, 'build/Release/obj.target'), objdump: 'objdump' },
  { arch: 'arm64', folder: join(cache, 'build-arm64/build/Release/obj.target'), objdump: 'aarch64-linux-gnu-objdump' },
  { arch: 'arm64', folder: join(root, 'build-native/arm64-qemu/CMakeFiles'), objdump: 'aarch64-linux-gnu-objdump' },
];
const KERNEL = /^qgemm::(gemm_\w+?_\d+x\d+c\d+_([a-z0-9]+))\(/;

const objectsUnder = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /^gemm_.*\.o$/.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();

/** A function and everything that it calls within the object. */
function reachable(functions, name, seen = new Set()) {
  if (seen.has(name) || !functions.has(name)) return seen;
  seen.add(name);
  for (const callee of functions.get(name).calls) reachable(functions, callee, seen);
  return seen;
}

/**
 * All loops in reach of a kernel that multiply densely. Epilogues, their activation functions and what looks at weights
 * multiply too.
 */
function denseLoops(functions, name) {
  const precision = name.includes('gemm_f32') ? 'float32' : 'int8';
  const loops = [...reachable(functions, name)]
    .filter((each) => !/epilogue|activate_|pair_steps/.test(each))
    .flatMap((each) => {
      const { lines } = functions.get(each);
      const framePointer = lines.some(({ operands }) => /^(%rsp,%rbp$|x29, sp\b)/.test(operands));
      return innermostLoops(functions.get(each)).map((loop) => ({
        within: each,
        lines: loop,
        ...countLoop(loop, precision, framePointer),
      }));
    })
    .filter(({ multiplies }) => multiplies > 0)
    .map((loop) => ({ ...loop, density: loop.multiplies / loop.instructions }));
  const densest = Math.max(...loops.map(({ density }) => density));
  return loops.filter(({ density }) => density >= densest / 2);
}

/** Where a full tile spends its time: the loop with the most sums, then multiplications. Variants that also prefetch lose. */
const hotLoop = (loops) =>
  [...loops].sort((a, b) => b.sums - a.sums || b.multiplies - a.multiplies || a.instructions - b.instructions)[0];

function inspect({ arch, folder, objdump }, known) {
  const kernels = [];
  for (const object of objectsUnder(folder)) {
    const functions = disassemble(objdump, object);
    for (const name of functions.keys()) {
      const [, kernel, isa] = KERNEL.exec(name) ?? [];
      // Two builds may hold the same kernel; scalar ones exist on each architecture.
      const key = `${arch} ${kernel}`;
      if (kernel === undefined || known.has(key)) continue;
      known.add(key);
      const title = isa === 'scalar' ? `${kernel} (${arch})` : kernel;
      const loops = denseLoops(functions, name);
      kernels.push({ kernel: title, isa, loops, hot: hotLoop(loops) });
    }
  }
  return kernels;
}

const cells = (values) => `| ${values.join(' | ')} |`;

function table(kernels) {
  const rows = kernels.map(({ kernel, hot }) => {
    const n = (value) => String(value);
    return hot
      ? [
          `\`${kernel}\``,
          hot.instruction,
          ...[hot.instructions, hot.multiplies, hot.loads, hot.moves, hot.stackStores].map(n),
          n(hot.multiplyAdds),
          (hot.instructions / hot.multiplies).toFixed(2),
          Number((hot.instructions / hot.multiplyAdds).toPrecision(3)),
        ]
      : [`\`${kernel}\``, 'none found', ...Array(8).fill('-')];
  });
  const titles = [
    'kernel',
    'multiplies with',
    'instructions',
    'multiplies',
    'loads',
    'register moves',
    'stores to the stack',
    'multiply-adds',
    'instructions per multiply',
    'per multiply-add',
  ];
  return [cells(titles), cells(titles.map((_, i) => (i < 2 ? '---' : '--:'))), ...rows.map(cells)].join('\n');
}

const { values: options } = parseArgs({ options: { arch: { type: 'string' }, loops: { type: 'boolean' } } });
const builds = BUILDS.filter(
  ({ arch, folder, objdump }) => (options.arch ?? arch) === arch && existsSync(folder) && found(objdump),
);
const known = new Set();
const kernels = builds.flatMap((build) => inspect(build, known));
if (kernels.length === 0) {
  console.error('inspect-kernels: no built kernels were found: run "npm run build:native" first (objdump reads them)');
  process.exit(1);
}
console.log(table(kernels));
if (options.loops) {
  for (const { kernel, hot } of kernels) {
    const text = hot?.lines.map(({ mnemonic, operands }) => `  ${mnemonic.padEnd(16)} ${operands}`) ?? [];
    console.log(`\n${kernel}\n${text.join('\n')}`);
  }
}
// Tiles with fewer rows count too. Portable kernels keep their sums in memory by design (native/kernels/scalar). A store per
// sixteen multiplications or fewer is a sum that the loop adds to once per turn, not one that should be in a register.
const problems = kernels.flatMap(({ kernel, isa, loops }) => {
  if (loops.length === 0) return [`${kernel}: no loop that multiplies`];
  return (isa === 'scalar' ? [] : loops)
    .filter(({ stackStores, multiplies }) => stackStores > multiplies / 16)
    .map(({ stackStores, within }) => `${kernel}: ${stackStores} stores to the stack in a loop of ${within}`);
});
for (const problem of problems) console.error(`inspect-kernels: ${problem}`);
console.error(
  `inspect-kernels: ${kernels.length} kernels in ${builds.map(({ folder }) => relative(root, folder)).join(', ')}, ${problems.length} problems`,
);
process.exitCode = problems.length === 0 ? 0 : 1; // not exit(): a pipe may not have taken everything yet
