import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from './support/safetensors.js';

const MEGABYTE = 2 ** 20;

/** A sparse model: 48 weights of 4 MB each and a table of 128 MB that is kept. */
function writeSparse(path: string): void {
  const header: Record<string, object> = {};
  let end = 0;
  const add = (name: string, rows: number): void => {
    header[name] = { dtype: 'F32', shape: [rows, 1024], data_offsets: [end, end + rows * 4096] };
    end += rows * 4096;
  };
  for (let i = 0; i < 48; ++i) add(`l${i}.weight`, 1024);
  add('embed.weight', 32 * 1024);
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const fd = openSync(path, 'w');
  writeSync(fd, length);
  writeSync(fd, json);
  ftruncateSync(fd, 8 + json.length + end);
  closeSync(fd);
}

// An emulator's own memory would be counted.
const emulated = Boolean(process.env['QGEMM_TEST_LAUNCHER']);

describe('memory of a conversion', () => {
  it.skipIf(emulated)('is bounded by the largest weight, not by the model (not on an emulated CPU)', () => {
    const folder = temporaryFolder();
    const input = join(folder, 'in.safetensors');
    writeSparse(input);
    const program = `
      const { convert } = require(process.argv[1]);
      const before = process.resourceUsage().maxRSS;
      convert(process.argv[2], process.argv[3]).then(() => console.log(process.resourceUsage().maxRSS - before));`;
    const index = join(__dirname, '..', 'dist', 'index.js');
    const args = ['-e', program, index, input, join(folder, 'out.safetensors')];
    const kilobytes = Number(execFileSync(process.execPath, args, { encoding: 'utf8' }));
    // The model has 320 MB. A weight of 4 MB needs 4 + 1 + 1 MB; the rest is what the collector has not freed yet.
    expect(kilobytes * 1024).toBeGreaterThan(4 * MEGABYTE);
    expect(kilobytes * 1024).toBeLessThan(120 * MEGABYTE);
  });
});
