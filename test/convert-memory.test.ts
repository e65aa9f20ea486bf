import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from './support/safetensors.js';
import { writeSparse } from './support/sparse.js';

const MEGABYTE = 2 ** 20;

/** Bytes by which the peak of the resident memory of a process grows while it converts. */
function peakOf(shapes: Record<string, [number, number]>, options: object = {}): number {
  const folder = temporaryFolder();
  const input = join(folder, 'in.safetensors');
  writeSparse(input, shapes);
  const program = `
    const { convert } = require(process.argv[1]);
    const before = process.resourceUsage().maxRSS;
    convert(process.argv[2], process.argv[3], JSON.parse(process.argv[4]))
      .then(({ packed, kept }) => console.log(process.resourceUsage().maxRSS - before, packed, kept));`;
  const index = join(__dirname, '..', 'dist', 'index.js');
  const args = ['-e', program, index, input, join(folder, 'out.safetensors'), JSON.stringify(options)];
  const [kilobytes, packed, kept] = execFileSync(process.execPath, args, { encoding: 'utf8' }).split(' ').map(Number);
  const names = Object.keys(shapes);
  expect({ packed, kept }).toEqual({
    packed: names.filter((name) => !name.startsWith('embed')).length,
    kept: names.length - packed!,
  });
  return 1024 * kilobytes!;
}

// An emulator's own memory would be counted.
const emulated = Boolean(process.env['QGEMM_TEST_LAUNCHER']);

describe.skipIf(emulated)('memory of a conversion (not on an emulated CPU)', () => {
  it('does not grow with the model: 48 weights of 4 MB and a table of 128 MB', () => {
    const layers = Array.from({ length: 48 }, (_, i) => [`l${i}.weight`, [1024, 1024]] as const);
    const peak = peakOf({ ...Object.fromEntries(layers), 'embed.weight': [32 * 1024, 1024] } as never);
    expect(peak).toBeGreaterThan(4 * MEGABYTE);
    expect(peak).toBeLessThan(120 * MEGABYTE);
  });

  // More than a typed array of float32 values holds in Node 20.
  it('is at most 512 MB for one weight of 2^30 values, 4 GB', () => {
    expect(peakOf({ 'l.weight': [128 * 1024, 8 * 1024] })).toBeLessThan(512 * MEGABYTE);
  }, 180_000);

  it('is at most 512 MB for one weight of 1 GB with a scale for the whole', () => {
    expect(peakOf({ 'l.weight': [32 * 1024, 8 * 1024] }, { granularity: 'per-tensor' })).toBeLessThan(512 * MEGABYTE);
  }, 180_000);

  it('is at most 200 MB for a report about an output of 300 MB, which is not mapped', () => {
    const layers = Array.from({ length: 18 }, (_, i) => [`l${i}.weight`, [4096, 4096]] as const);
    expect(peakOf(Object.fromEntries(layers) as never, { measure: true })).toBeLessThan(200 * MEGABYTE);
  }, 180_000);

  it('is at most 512 MB for 24 weights of 64 MB and a table of 512 MB', () => {
    const layers = Array.from({ length: 24 }, (_, i) => [`l${i}.weight`, [4096, 4096]] as const);
    const peak = peakOf({ ...Object.fromEntries(layers), 'embed.weight': [32 * 1024, 4096] } as never);
    expect(peak).toBeLessThan(512 * MEGABYTE);
  }, 180_000);
});
