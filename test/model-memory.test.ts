import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { convert } from '../lib/index.js';
import { f32, temporaryFolder, writeSafetensors } from './support/safetensors.js';

// An emulator's own memory would be counted.
const measurable = existsSync('/proc/self/smaps_rollup') && !process.env['QGEMM_TEST_LAUNCHER'];
const root = join(__dirname, '..');

/** Loads all layers, uses each once, and prints by how many kB private memory grew meanwhile, and the sum of results. */
const program = `
const { readFileSync } = require('node:fs');
const { loadModel, setNumThreads } = require(${JSON.stringify(join(root, 'dist', 'index.js'))});
setNumThreads(1);
const privateKilobytes = () => [...readFileSync('/proc/self/smaps_rollup', 'utf8').matchAll(/^Private_\\w+: +(\\d+) kB/gm)]
  .reduce((sum, match) => sum + Number(match[1]), 0);
const x = new Float32Array(1024).fill(0.5);
const y = new Float32Array(1024);
const held = []; // models stay mapped until the process ends
const use = (path, map) => {
  const model = loadModel(path, { map });
  held.push(model);
  let sum = 0;
  for (const name of model.names) sum += model.linear(name).forward(x, y)[0];
  return sum;
};
use(process.argv[2], true);
const before = privateKilobytes();
const sum = use(process.argv[3], process.argv[4] === 'map');
console.log(JSON.stringify({ kilobytes: privateKilobytes() - before, sum }));
if (process.argv[5] === 'child') process.exit();
const again = require('node:child_process').execFileSync(process.execPath, [...process.argv.slice(1, 5), 'child'], { encoding: 'utf8' });
console.log(again.trim());
`;

describe('memory of a mapped model', () => {
  it.skipIf(!measurable)(
    measurable
      ? 'a second process adds no private memory for 16 MB of weights'
      : 'needs /proc/self/smaps_rollup (Linux, no emulator)',
    async () => {
      const folder = temporaryFolder();
      const tensors = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`l${i}.weight`, f32([1024, 1024], i)]));
      const large = join(folder, 'large.safetensors');
      await convert(writeSafetensors(join(folder, 'in.safetensors'), tensors), large);
      const small = join(folder, 'small.safetensors');
      await convert(writeSafetensors(join(folder, 'in2.safetensors'), { 'l0.weight': f32([1024, 1024]) }), small);
      const script = join(folder, 'use.cjs');
      writeFileSync(script, program);
      const run = (mode: string): { kilobytes: number; sum: number }[] =>
        execFileSync(process.execPath, [script, small, large, mode], { encoding: 'utf8' })
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as { kilobytes: number; sum: number });
      const mapped = run('map');
      const read = run('read');
      // While the first process holds the file, its pages are shared; what grows is the heap of JavaScript.
      expect(mapped[1]!.kilobytes).toBeLessThan(4000);
      // The same with private memory shows that the measurement sees what it is to see.
      expect(read[1]!.kilobytes).toBeGreaterThan(15_000);
      expect(new Set([...mapped, ...read].map(({ sum }) => sum)).size).toBe(1);
    },
  );
});
