import { describe, expect, it } from 'vitest';
import { chart } from '../bench/chart.mjs';
import { markdown } from '../bench/markdown.mjs';
import { interleave, inTurn, pairedRatio } from '../bench/measure.mjs';
import { neighbourLines } from '../bench/neighbours.mjs';
import { limitOf } from '../bench/report.mjs';
import { summarize, summaryLines } from '../bench/summary.mjs';

const timing = (median: number) => ({
  median,
  best: median * 0.9,
  samples: 3,
  times: [median, median * 0.9, median * 2],
});

/** A row as shape.mjs gives it; 10 us of int8 at M = 1 and 40 us at M = 64, peers slower by fixed factors. */
function row(threads: number, m: number) {
  const int8 = (m === 1 ? 0.01 : 0.04) / threads;
  return {
    threads,
    m,
    k: 1024,
    n: 1024,
    peaks: { int8: [4000, 4000 / 0.9, 2000], float32: [1000, 1000 / 0.9, 500] },
    read: m === 1 ? { ...timing(0.008), variant: '1 stream', bytes: 1 << 20 } : undefined,
    results: {
      int8: timing(int8),
      float32: timing(int8 * 4),
      'peer int8': timing(int8 * 2),
      'peer float32': timing(int8 * 6),
      'torch int8': timing(int8 * 3),
      ...(threads > 1 && { 'int8 1 thread': timing(int8 * 1.9), 'float32 1 thread': timing(int8 * 4 * 1.8) }),
    },
  };
}

const rows = [row(1, 1), row(1, 64), row(2, 1), row(2, 64)];
const report = {
  date: '2026-01-02T03:04:05.678Z',
  command: 'npm run bench --',
  model: 'A <CPU> & more',
  node: 'v20.0.0',
  cpu: { isa: 'avx2' },
  peers: { onnxruntime: 'onnxruntime-node 1.2.3', torch: 'PyTorch 4.5.6' },
  instructions: { int8: 'vpmaddwd ymm', float32: 'vfmadd231ps ymm' },
  rows,
  summaries: [...summarize(rows, 1), ...summarize(rows, 2)],
  calls: undefined,
  neighbours: undefined,
};

describe('what npm run bench writes', () => {
  it('takes the limit that allows less', () => {
    expect(limitOf(rows[0], 'int8')).toEqual({
      share: expect.closeTo(0.8),
      best: expect.closeTo(0.8),
      of: 'bandwidth',
    });
    const { share, of } = limitOf(rows[1], 'int8')!;
    expect(of).toBe('peak');
    expect(share).toBeCloseTo((2 * 64 * 1024 * 1024) / 0.04e-3 / 4000e9, 10);
    expect(limitOf({ ...rows[1]!, peaks: { int8: [0, 0, 0], float32: [0, 0, 0] } }, 'int8')).toBeUndefined();
  });

  it('compares what the same round gave, so that slow rounds do not count', () => {
    const theirs = { times: [2, 20, 2] };
    expect(pairedRatio(theirs, { times: [1, 10, 10] })).toBe(2);
    expect(() => pairedRatio(theirs, { times: [1] })).toThrow('different rounds');
  });

  it('summarizes each number of threads, and scaling only where there are several', () => {
    const lines = summaryLines(report.summaries);
    expect(lines).toContain(
      '1 T, int8 against onnxruntime, 2 shapes: medians 2.00x (least 2.00x, 1x1024x1024), bests 2.00x (least 2.00x, 1x1024x1024)',
    );
    expect(lines.filter((line: string) => line.includes('against 1 thread'))).toEqual([
      expect.stringContaining('2 T, int8 against 1 thread, M >= 64, 1 shapes: medians 1.90x'),
      expect.stringContaining('2 T, int8 against 1 thread, M = 1, weights above 1 MB, 1 shapes: medians 1.90x'),
      expect.stringContaining('2 T, float32 against 1 thread, M >= 64, 1 shapes: medians 1.80x'),
    ]);
  });

  it('writes tables for the documentation', () => {
    const text = markdown(report);
    expect(text).toContain(
      '| 1, 1024, 1024 | 10.00 (9.00) | 210 | 80 % (80 %) b | 20.00 | 2.00x | 30.00 | 3.00x | 40.00 |',
    );
    for (const table of text.split('\n\n').filter((part) => part.startsWith('|'))) {
      const widths = new Set(
        table
          .trim()
          .split('\n')
          .map((line) => line.split('|').length),
      );
      expect([...widths]).toHaveLength(1);
    }
  });

  it('compares calls beside neighbours with a loop on one thread, and with a crew where there are several', () => {
    const distribution = (p99: number) => ({ p50: 0.01, p99, mean: 0.02, max: 8, samples: 100, lost: 0.005 });
    const beside = (threads: number, crew?: ReturnType<typeof distribution>) => ({
      ...{ threads, m: 16, k: 768, n: 768, quiet: 0.01, call: distribution(0.06), loop: distribution(0.03), crew },
      ...{ p99ToLoop: 2, p99ToCrew: crew && 0.06 / crew.p99, medianToQuiet: 1, medianToOneThread: 1 / threads },
    });
    const neighbours = { skipped: undefined, cpus: [0, 1], rows: [beside(1), beside(2, distribution(0.04))] };
    const [, header, ...lines] = neighbourLines(neighbours);
    expect(new Set([header, ...lines].map((line: string) => line.length)).size).toBe(1);
    // Columns end where their titles do.
    const at = (title: string) =>
      lines.map((line: string) =>
        line
          .slice(0, header.indexOf(title) + title.length)
          .split(' ')
          .at(-1),
      );
    expect(at('p99/loop')).toEqual(['2.00', '2.00']);
    expect(at('crew p99')).toEqual(['-', '40']);
    expect(at('p99/crew')).toEqual(['-', '1.50']);
    const table = markdown({ ...report, neighbours });
    expect(table).toContain('| 1, 16, 768, 768 | 10.00 | 10.00 | 60.00 | 30.00 | 2.00 | - | - | 20.00 | - |');
    expect(table).toContain(
      '| 2, 16, 768, 768 | 10.00 | 10.00 | 60.00 | 30.00 | 2.00 | 40.00 | 1.50 | 20.00 | 20.00 |',
    );
  });

  it('draws a panel for each precision and number of threads, in two colour schemes', () => {
    const svg = chart(report);
    expect(svg.match(/class="title"/g)).toHaveLength(4);
    expect(svg.match(/<rect class="ours"/g)).toHaveLength(8 + 1);
    expect(svg.match(/<circle class="ort"/g)).toHaveLength(8 + 1);
    expect(svg.match(/<path class="torch"/g)).toHaveLength(4 + 1);
    expect(svg).toContain('prefers-color-scheme: dark');
    expect(svg).toContain('A &lt;CPU&gt; &amp; more');
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    // Every element is closed, in order.
    const open: string[] = [];
    for (const [, slash, name, empty] of svg.matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)) {
      if (slash) expect(open.pop()).toBe(name);
      else if (!empty) open.push(name!);
    }
    expect(open).toEqual([]);
  });

  it('needs no peers and no calibration', () => {
    const bare = rows.slice(0, 1).map((each) => ({
      ...each,
      read: undefined,
      peaks: { int8: [0, 0, 0], float32: [0, 0, 0] },
      results: { int8: timing(0.01), float32: timing(0.04) },
    }));
    const alone = { ...report, peers: {}, rows: bare, summaries: summarize(bare, 1) };
    expect(chart(alone)).not.toMatch(/NaN|undefined|Infinity|class="ort"|class="torch"/);
    expect(markdown(alone)).toContain('| 1, 1024, 1024 | 10.00 (9.00) | 210 | - | 40.00 |');
  });
});

describe('several layers', () => {
  it('are called in turn, and equally often', async () => {
    const calls = [0, 0, 0];
    const order: number[] = [];
    const run = inTurn(
      calls.map((_, layer) => () => {
        calls[layer]!++;
        if (order.length < 6) order.push(layer);
      }),
    );
    let rounds = 0;
    const options = { rounds: 5, layers: 3, settle: 0, between: () => void rounds++ };
    const results = await interleave([{ name: 'layers', owner: 'us', run }], options);
    expect(order).toEqual([0, 1, 2, 0, 1, 2]);
    expect(new Set(calls).size).toBe(1);
    expect(rounds).toBe(5);
    expect(results.get('layers')!.times).toHaveLength(5);
  });
});

describe('calls that are not timed', () => {
  // 0.1 ms a call, so 40 in a sample of 4 ms.
  async function repeatsWith(settle: number) {
    const repeats: number[] = [];
    const sample = (count: number) => {
      repeats.push(count);
      return Promise.resolve(0.1);
    };
    await interleave([{ name: 'a', owner: 'a', sample }], { rounds: 5, settle, between: () => undefined });
    return repeats.slice(0, 6);
  }

  it('are five on one thread, and 10 ms of them on several', async () => {
    expect(await repeatsWith(0)).toEqual([1, 1, 5, 40, 5, 40]);
    expect(await repeatsWith(1)).toEqual([1, 1, 100, 40, 100, 40]);
  });
});
