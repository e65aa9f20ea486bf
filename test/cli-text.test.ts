import { describe, expect, it } from 'vitest';
import { drawBar, progressView } from '../lib/cli/progress.js';
import { formatBytes, formatSeconds, formatTable, printable, toJson } from '../lib/cli/text.js';
import type { ConvertProgress } from '../lib/index.js';

const progress = (done: number, tensor = 'layer.weight'): ConvertProgress => ({
  tensor,
  tensorsDone: done,
  tensorsTotal: 4,
  bytesDone: done * 25e6,
  bytesTotal: 100e6,
});

/** What is written to a stream that looks like standard error. */
function written(isTTY: boolean, options: { quiet?: boolean; json?: boolean }): string[] {
  const lines: string[] = [];
  const stream = { isTTY, columns: 60, write: (text: string) => lines.push(text) };
  const view = progressView(stream as unknown as NodeJS.WriteStream, options);
  for (const done of [1, 2, 3, 4]) view.update(progress(done));
  view.end();
  return lines;
}

describe('progress', () => {
  it('a bar has share, rate, time left and name, and fits the line', () => {
    expect(drawBar(progress(1), 0.5, 100)).toBe(
      '[======..................]  25 %  50.0 MB/s  ETA 1.50 s  layer.weight',
    );
    expect(drawBar(progress(4), 200, 100)).toBe(`[${'='.repeat(24)}] 100 %  500 kB/s  ETA 0.0 s  layer.weight`);
    expect(drawBar(progress(0), 0, 100)).toMatch(/ 0 % {2}0 B\/s {2}ETA \? /);
    expect(drawBar(progress(1, 'x'.repeat(200)), 1, 60)).toHaveLength(59);
    expect(drawBar({ ...progress(0), bytesTotal: 0 }, 1, 80)).toContain('100 %');
  });

  it('a terminal gets one line that is drawn over, the last state included, and is left clean', () => {
    const lines = written(true, {});
    expect(lines.every((line) => line.startsWith('\r') && line.endsWith('\u001b[K'))).toBe(true);
    expect(lines.at(-2)).toContain('100 %');
    expect(lines.at(-1)).toBe('\r\u001b[K');
  });

  it('a file gets a line for each tensor, a machine JSON, the quiet nothing', () => {
    expect(written(false, {})).toEqual([1, 2, 3, 4].map((done) => `[${done}/4] ${25 * done} % layer.weight\n`));
    expect(written(true, { json: true }).map((line) => JSON.parse(line) as unknown)).toEqual(
      [1, 2, 3, 4].map((done) => progress(done)),
    );
    expect(written(true, { quiet: true })).toEqual([]);
  });
});

describe('text', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.00 kB'],
    [999_499, '999 kB'],
    [999_999, '1.00 MB'],
    [1.5e9, '1.50 GB'],
    [2e15, '2.00e+3 TB'],
  ])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it.each([
    [0.1234, '0.12 s'],
    [12.34, '12.3 s'],
    [185, '3:05'],
    [3599.7, '60:00'],
  ])('%d seconds are %s', (seconds, text) => expect(formatSeconds(seconds)).toBe(text));

  it('tables align names left and numbers right', () => {
    const rows = [
      { name: 'a', size: 5 },
      { name: 'long', size: 12345 },
    ];
    const table = formatTable(rows, [
      { title: 'size', value: ({ size }) => String(size), right: true },
      { title: 'name', value: ({ name }) => name },
    ]);
    expect(table).toBe(' size  name\n    5  a\n12345  long');
  });

  it('control characters, C1 and line separators are shown by number', () => {
    expect(printable('a\u0000\u001b[0m\u0085\u2028é漢')).toBe('a\\u0000\\u001b[0m\\u0085\\u2028é漢');
  });

  it('JSON has strings for numbers that it does not know, and objects for Maps', () => {
    expect(toJson({ a: Infinity, b: NaN, c: 1, d: new Map([['__proto__', 'x']]) })).toBe(
      '{"a":"Infinity","b":"NaN","c":1,"d":{"__proto__":"x"}}',
    );
  });
});
