import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runChild } from '../support/child.js';
import { temporaryFolder } from '../support/safetensors.js';
import { writeFiles } from '../support/tfjs.js';
import { CATALOGUE } from './catalogue.js';

const MAX_CPU_MS = process.env['QGEMM_TEST_LAUNCHER'] ? 30_000 : 1000;
const MAX_BYTES = 100e6;

interface Outcome {
  name: string;
  /** Of the errors of inspect, convert and verify; null where there was none. */
  codes: (string | null)[];
  /** Time on the CPU of the slowest of the three: what else the machine does is not counted. */
  cpuMs: number;
  /** By how much the process was larger than before, at its largest. */
  bytes: number;
  /** What is in the folder besides the files of the case. */
  left: string[];
}

/** Runs in a process of its own: opens every case in three ways, and measures. */
const MEASURE = `
const fs = require('node:fs');
const { dirname, join } = require('node:path');
const cases = JSON.parse(fs.readFileSync(process.env.QGEMM_TEST_CASES, 'utf8'));
const isLinux = process.platform === 'linux';
const status = (key) => 1024 * Number(new RegExp(key + ':\\\\s+(\\\\d+) kB').exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]);
const resident = () => (isLinux ? status('VmRSS') : process.memoryUsage.rss());
// Linux forgets the peak so far when asked; elsewhere the peak of the whole process is taken, which is never less.
const forgetPeak = () => { try { fs.writeFileSync('/proc/self/clear_refs', '5'); } catch { return; } };
const peak = () => (isLinux ? status('VmHWM') : process.resourceUsage().maxRSS * 1024);
async function main() {
  const outcomes = [];
  for (const { name, path, entries } of cases) {
    const folder = dirname(path);
    const output = join(folder, 'output.safetensors');
    const outcome = { name, codes: [], cpuMs: 0, bytes: 0, left: [] };
    for (const open of [() => qgemm.inspect(path), () => qgemm.convert(path, output), () => qgemm.verify(path, output)]) {
      gc();
      forgetPeak();
      const [before, started] = [resident(), process.cpuUsage()];
      let code = null;
      try { await open(); } catch (error) { code = error.code ?? error.message; }
      const { user, system } = process.cpuUsage(started);
      outcome.codes.push(code);
      outcome.cpuMs = Math.max(outcome.cpuMs, (user + system) / 1000);
      outcome.bytes = Math.max(outcome.bytes, peak() - before);
    }
    outcome.left = fs.readdirSync(folder).filter((entry) => !entries.includes(entry));
    outcomes.push(outcome);
  }
  console.log(JSON.stringify(outcomes));
}
main();
`;

async function measured(format: string): Promise<Outcome[]> {
  const folder = temporaryFolder();
  const cases = CATALOGUE[format]!.map(({ name, files }, i) => {
    const home = join(folder, String(i));
    mkdirSync(home);
    const entries = Object.keys(files).map((file) => file.split('/')[0]);
    return { name, path: writeFiles(home, files), entries };
  });
  const list = join(folder, 'cases.json');
  writeFileSync(list, JSON.stringify(cases));
  const { stdout, stderr, code, signal } = await runChild(MEASURE, {
    nodeArguments: ['--expose-gc'],
    env: { QGEMM_TEST_CASES: list },
  });
  expect({ stderr, code, signal }).toEqual({ stderr: '', code: 0, signal: null });
  return JSON.parse(stdout) as Outcome[];
}

describe('malformed files, in a process whose memory and time are measured', () => {
  it('are at least 100, at least 12 of each format, each with a name of its own', () => {
    const counts = Object.values(CATALOGUE).map((cases) => cases.length);
    expect(counts.reduce((a, b) => a + b)).toBeGreaterThanOrEqual(100);
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(12);
    for (const [format, cases] of Object.entries(CATALOGUE)) {
      const names = cases.map(({ name }) => name);
      expect(new Set(names).size, format).toBe(names.length);
    }
  });

  it.each(Object.keys(CATALOGUE))(
    '%s: all are refused with their codes, below a second and 100 MB, and nothing is written',
    async (format) => {
      const outcomes = await measured(format);
      // A packed file is no original: convert and verify say so before they look closer, where its header can be read.
      const expected = CATALOGUE[format]!.map(({ name, code }) => ({ name, code }));
      expect(outcomes.map(({ name, codes }) => ({ name, code: codes[0] }))).toEqual(expected);
      const strange = outcomes.filter(({ codes: [first, ...others] }) =>
        others.some((code) => code !== first && !(format === 'packed safetensors' && code === 'ERR_QGEMM_FORMAT')),
      );
      expect(strange).toEqual([]);
      expect(outcomes.filter(({ cpuMs }) => cpuMs > MAX_CPU_MS)).toEqual([]);
      expect(outcomes.filter(({ bytes }) => bytes > MAX_BYTES)).toEqual([]);
      expect(outcomes.filter(({ left }) => left.length > 0)).toEqual([]);
    },
    300_000,
  );
});
