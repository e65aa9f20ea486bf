// Ratios over all shapes: geometric means, and the worst shape of each.
import { pairedRatio } from './measure.mjs';

const geometricMean = (values) => Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

function ratios(rows, ratioOf) {
  const list = rows
    .map((row) => ({ ratio: ratioOf(row), shape: `${row.m}x${row.k}x${row.n}` }))
    .filter(({ ratio }) => ratio !== undefined)
    .sort((a, b) => a.ratio - b.ratio);
  if (list.length === 0) return undefined;
  return {
    geometricMean: geometricMean(list.map(({ ratio }) => ratio)),
    least: list[0].ratio,
    leastAt: list[0].shape,
    shapes: list.length,
  };
}

const MEGABYTE = 1e6;

/** What is compared: a title, the rows, and whose time is divided by whose. */
function comparisons(rows, threads) {
  const of = rows.filter((row) => row.threads === threads);
  const large = of.filter(({ m }) => m >= 64);
  const single = of.filter(({ m, k, n }) => m === 1 && k * n > MEGABYTE);
  const list = [
    ['int8 against onnxruntime', of, 'peer int8', 'int8'],
    ['int8 against PyTorch', of, 'torch int8', 'int8'],
    ['float32 against onnxruntime', of, 'peer float32', 'float32'],
    ['int8 against float32, M >= 64', large, 'float32', 'int8'],
  ];
  if (threads > 1) {
    list.push(
      ['int8 against 1 thread, M >= 64', large, 'int8 1 thread', 'int8'],
      ['int8 against 1 thread, M = 1, weights above 1 MB', single, 'int8 1 thread', 'int8'],
      ['float32 against 1 thread, M >= 64', large, 'float32 1 thread', 'float32'],
    );
  }
  return list;
}

/** Of two contestants: the median of the rounds' ratios, and the ratio of the best times. */
const STATISTICS = { median: pairedRatio, best: (theirs, ours) => theirs.best / ours.best };

/** For one number of threads: ratios within rounds, and bests against bests. */
export function summarize(rows, threads) {
  const compared = comparisons(rows, threads).map(([title, list, numerator, denominator]) => {
    const by = (statistic) =>
      ratios(list, ({ results }) =>
        results[numerator] && results[denominator]
          ? STATISTICS[statistic](results[numerator], results[denominator])
          : undefined,
      );
    return { threads, title, median: by('median'), best: by('best') };
  });
  const read = (statistic) =>
    ratios(
      rows.filter((row) => row.threads === threads && row.m === 1),
      ({ read, results }) => read && STATISTICS[statistic](read, results.int8),
    );
  compared.push({ threads, title: 'int8 of bandwidth, M = 1', median: read('median'), best: read('best') });
  return compared.filter(({ median }) => median);
}

const ratioText = (part) => `${part.geometricMean.toFixed(2)}x (least ${part.least.toFixed(2)}x, ${part.leastAt})`;

export const summaryLines = (parts) =>
  parts.map(
    ({ threads, title, median, best }) =>
      `${threads} T, ${title}, ${median.shapes} shapes: medians ${ratioText(median)}, bests ${ratioText(best)}`,
  );
