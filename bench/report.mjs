// The table that a run prints while it goes.
import { pairedRatio, summary } from './measure.mjs';

export const microseconds = (ms) => (ms < 0.1 ? (ms * 1e3).toFixed(2) : (ms * 1e3).toFixed(0));
export const percent = (share) => `${(share * 100).toFixed(0)} %`;
export const ratio = (value) => (value === undefined ? '-' : `${value.toFixed(2)}x`);
export const gops = ({ m, k, n }, ms) => (2 * m * k * n) / ms / 1e6;

/** The highest peak of all rounds in GOPS, of one thread; 0 where there is no calibration. */
export const highestPeak = (row, precision) => Math.max(...row.peaks[precision]);

/** Median over the rounds of the share of that round's peak, or undefined where there is no calibration. */
function peakShare(row, precision) {
  if (highestPeak(row, precision) === 0) return undefined;
  const { times } = row.results[precision];
  return summary(times.map((ms, round) => gops(row, ms) / (row.peaks[precision][round] * row.threads))).median;
}

/** The same for the time of reading the weights. */
const readShare = (row) => row.read && pairedRatio(row.read, row.results.int8);

/**
 * The share of what limits a row: {share, best, of: 'peak' | 'bandwidth'}, `share` as the median over the rounds and
 * `best` of the best time, or undefined where there is no calibration. Few rows of int8 are limited by the time of
 * reading the weights or by the instruction, whichever allows less.
 */
export function limitOf(row, precision) {
  const { best } = row.results[precision];
  const peak = highestPeak(row, precision) * row.threads;
  const shares = [{ share: peakShare(row, precision), best: gops(row, best) / peak, of: 'peak' }];
  if (precision === 'int8' && row.read) {
    shares.push({ share: readShare(row), best: row.read.best / best, of: 'bandwidth' });
  }
  return shares.filter(({ share }) => share !== undefined).sort((a, b) => b.share - a.share)[0];
}

const share = (value) => (value === undefined ? '-' : percent(value));
const against = (row, other, name) => {
  const theirs = row.results[other];
  return [theirs ? microseconds(theirs.median) : '-', ratio(theirs && pairedRatio(theirs, row.results[name]))];
};
const scaling = (row, name) =>
  ratio(row.threads > 1 ? pairedRatio(row.results[`${name} 1 thread`], row.results[name]) : undefined);

/** Title, width and text of each column. */
const COLUMNS = [
  ['T', 2, (row) => row.threads],
  ['M', 4, (row) => row.m],
  ['K', 5, (row) => row.k],
  ['N', 6, (row) => row.n],
  ['int8 us', 9, (row) => microseconds(row.results.int8.median)],
  ['best', 9, (row) => microseconds(row.results.int8.best)],
  ['GOPS', 5, (row) => gops(row, row.results.int8.median).toFixed(0)],
  ['peak', 6, (row) => share(peakShare(row, 'int8'))],
  ['bandw.', 7, (row) => share(readShare(row))],
  ['1 T', 7, (row) => scaling(row, 'int8')],
  ['ort us', 9, (row) => against(row, 'peer int8', 'int8')[0]],
  ['ratio', 8, (row) => against(row, 'peer int8', 'int8')[1]],
  ['torch us', 9, (row) => against(row, 'torch int8', 'int8')[0]],
  ['ratio', 8, (row) => against(row, 'torch int8', 'int8')[1]],
  ['f32 us', 9, (row) => microseconds(row.results.float32.median)],
  ['GOPS', 5, (row) => gops(row, row.results.float32.median).toFixed(0)],
  ['peak', 6, (row) => share(peakShare(row, 'float32'))],
  ['1 T', 7, (row) => scaling(row, 'float32')],
  ['ort us', 9, (row) => against(row, 'peer float32', 'float32')[0]],
  ['ratio', 8, (row) => against(row, 'peer float32', 'float32')[1]],
];

const line = (textOf) => COLUMNS.map((column) => String(textOf(column)).padStart(column[1])).join('');

export const headerLine = () => line(([title]) => title);
export const tableLine = (row) => line(([, , text]) => text(row));
