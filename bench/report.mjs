// Tables and summaries of the benchmark.

const geometricMean = (values) => Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
const microseconds = (ms) =>
  ms < 0.1 ? (ms * 1e3).toFixed(2) : ms < 10 ? (ms * 1e3).toFixed(0) : (ms * 1e3).toFixed(0);

/** One line of the table: ours against the peer in one precision. */
function cells(row, precision) {
  const ours = row.results[precision];
  const peer = row.results[`peer ${precision}`];
  const gops = (2 * row.m * row.k * row.n) / ours.median / 1e6;
  const peak = row.peaks[precision] * row.threads;
  return [
    microseconds(ours.median),
    microseconds(ours.best),
    gops.toFixed(0),
    peak > 0 ? `${((gops / peak) * 100).toFixed(0)} %` : '-',
    peer ? microseconds(peer.median) : '-',
    peer ? `${(peer.median / ours.median).toFixed(2)}x` : '-',
  ];
}

export const HEADER = [
  'T',
  'M',
  'K',
  'N',
  'int8 us',
  'best',
  'GOPS',
  'peak',
  'peer us',
  'ratio',
  'f32 us',
  'best',
  'GOPS',
  'peak',
  'peer us',
  'ratio',
];
const WIDTHS = [2, 4, 5, 6, 9, 9, 5, 6, 9, 7, 9, 9, 5, 6, 9, 7];

export const line = (values) => values.map((value, i) => String(value).padStart(WIDTHS[i])).join('');

export const tableLine = (row) =>
  line([row.threads, row.m, row.k, row.n, ...cells(row, 'int8'), ...cells(row, 'float32')]);

function ratios(rows, numerator, denominator, statistic) {
  const list = rows
    .filter((row) => row.results[numerator] && row.results[denominator])
    .map((row) => ({
      ratio: row.results[numerator][statistic] / row.results[denominator][statistic],
      shape: `${row.m}x${row.k}x${row.n}`,
    }))
    .sort((a, b) => a.ratio - b.ratio);
  if (list.length === 0) return undefined;
  return {
    geometricMean: geometricMean(list.map(({ ratio }) => ratio)),
    least: list[0].ratio,
    leastAt: list[0].shape,
    shapes: list.length,
  };
}

/** Geometric means and worst shapes for one number of threads: medians against medians, and bests against bests. */
export function summarize(rows, threads) {
  const of = rows.filter((row) => row.threads === threads);
  const large = of.filter((row) => row.m >= 64);
  const compared = [
    ['int8 against the peer', of, 'peer int8', 'int8'],
    ['float32 against the peer', of, 'peer float32', 'float32'],
    ['int8 against float32, M >= 64', large, 'float32', 'int8'],
  ];
  return compared.map(([title, list, numerator, denominator]) => ({
    threads,
    title,
    median: ratios(list, numerator, denominator, 'median'),
    best: ratios(list, numerator, denominator, 'best'),
  }));
}

const ratioText = (part) => `${part.geometricMean.toFixed(2)}x (least ${part.least.toFixed(2)}x, ${part.leastAt})`;

export const summaryLines = (parts) =>
  parts
    .filter(({ median }) => median)
    .map(
      ({ threads, title, median, best }) =>
        `${threads} T, ${title}, ${median.shapes} shapes: medians ${ratioText(median)}, bests ${ratioText(best)}`,
    );
