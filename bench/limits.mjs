// The limits of this machine, from loops in native/bench, built on first use: what the instruction of a kernel can do on
// registers, and how fast memory can be read.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { roundsSummary } from './measure.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const binary = join(here, 'build/Release/qgemm_bench.node');
const sources = join(here, '../native/bench');
const PEAK_MS = 1;
const READ_MS = 0.5; // for each variant of the read-only loop

function build() {
  const files = [join(here, 'binding.gyp'), ...readdirSync(sources).map((file) => join(sources, file))];
  const newest = Math.max(...files.map((file) => statSync(file).mtimeMs));
  if (existsSync(binary) && statSync(binary).mtimeMs > newest) return;
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(here, '../scripts/build-native.mjs'), `--directory=${here}`],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`the addon that measures the limits did not build: ${stderr}`);
}

function load() {
  build();
  return createRequire(import.meta.url)(binary);
}

/**
 * Peaks in GOPS of one thread, for what cpuInfo() says: {instructions, int8(), float32(), loop(steps), crew}. 0 where
 * there is no loop for the ISA. `loop` does the same work each time that it is called with the same number, and
 * `crew.loop` does it on each thread between `crew.start(threads)` and `crew.stop()`.
 */
export function peaks({ isa, features }) {
  const addon = load();
  // The float32 kernels go by what the CPU has; the tag is that of the int8 kernels.
  const float32Isa = ['avx512', 'avx2', 'neon'].find((tag) => features.includes(tag)) ?? 'scalar';
  const instructions = {
    int8: addon.peakInstruction('int8', isa),
    float32: addon.peakInstruction('float32', float32Isa),
  };
  const spin = instructions.int8 || instructions.float32;
  return {
    instructions,
    int8: () => addon.peakGops(instructions.int8, PEAK_MS),
    float32: () => addon.peakGops(instructions.float32, PEAK_MS),
    loop: spin && ((steps) => addon.registerLoop(spin, steps)),
    crew: {
      start: (threads) => addon.startCrew(spin, threads),
      loop: (steps) => addon.crewLoop(steps),
      stop: () => addon.stopCrew(),
    },
  };
}

/**
 * A read-only loop over memory like that of `bytes` of packed weights: same size, same pages; of several layers in turn.
 * `round()` measures all its variants once; `result()` is that of the fastest: {median, best, times} in milliseconds for one
 * layer, and its name.
 */
export function readLoop(bytes, threads, layers) {
  const addon = load();
  const buffers = Array.from({ length: layers }, () => addon.readBuffer(bytes));
  const variants = addon.readVariants().map((name) => ({ name, samples: [] }));
  const milliseconds = (variant) => {
    if (layers === 1) return addon.readSeconds(buffers[0], variant, threads, READ_MS) * 1e3;
    // Once each: read again, a layer would come from nearer than in a model.
    const total = buffers.reduce((sum, buffer) => sum + addon.readSeconds(buffer, variant, threads, 0), 0);
    return (total * 1e3) / layers;
  };
  return {
    round: () => variants.forEach(({ samples }, variant) => samples.push(milliseconds(variant))),
    result: () => {
      const all = variants.map(({ name, samples }) => ({ variant: name, ...roundsSummary(samples) }));
      const fastest = all.reduce((a, b) => (b.median < a.median ? b : a));
      return { ...fastest, best: Math.min(...all.map(({ best }) => best)), bytes };
    },
  };
}
