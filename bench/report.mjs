// The table that a run prints while it goes.
export const microseconds = (ms) => (ms < 0.1 ? (ms * 1e3).toFixed(2) : (ms * 1e3).toFixed(0));
export const percent = (share) => `${(share * 100).toFixed(0)} %`;
export const ratio = (value) => (value === undefined ? '-' : `${value.toFixed(2)}x`);
export const gops = ({ m, k, n }, ms) => (2 * m * k * n) / ms / 1e6;

/**
 * The share of what limits a row: {share, of: 'peak' | 'bandwidth'}, or undefined where there is no calibration. Few rows
 * of int8 are limited by the time of reading the weights or by the instruction, whichever allows less.
 */
export function limitOf(row, precision) {
  const ms = row.results[precision].median;
  const peak = row.peaks[precision] * row.threads;
  const shares = peak > 0 ? [{ share: gops(row, ms) / peak, of: 'peak' }] : [];
  if (precision === 'int8' && row.read) shares.push({ share: row.read.median / ms, of: 'bandwidth' });
  return shares.sort((a, b) => b.share - a.share)[0];
}

const peakShare = (row, precision) => {
  const peak = row.peaks[precision] * row.threads;
  return peak > 0 ? percent(gops(row, row.results[precision].median) / peak) : '-';
};
const against = (row, other, name) => {
  const theirs = row.results[other];
  return [theirs ? microseconds(theirs.median) : '-', ratio(theirs && theirs.median / row.results[name].median)];
};
const scaling = (row, name) =>
  ratio(row.threads > 1 ? row.results[`${name} 1 thread`].median / row.results[name].median : undefined);

/** Title, width and text of each column. */
const COLUMNS = [
  ['T', 2, (row) => row.threads],
  ['M', 4, (row) => row.m],
  ['K', 5, (row) => row.k],
  ['N', 6, (row) => row.n],
  ['int8 us', 9, (row) => microseconds(row.results.int8.median)],
  ['best', 9, (row) => microseconds(row.results.int8.best)],
  ['GOPS', 5, (row) => gops(row, row.results.int8.median).toFixed(0)],
  ['peak', 6, (row) => peakShare(row, 'int8')],
  ['bandw.', 7, (row) => (row.read ? percent(row.read.median / row.results.int8.median) : '-')],
  ['1 T', 7, (row) => scaling(row, 'int8')],
  ['ort us', 9, (row) => against(row, 'peer int8', 'int8')[0]],
  ['ratio', 8, (row) => against(row, 'peer int8', 'int8')[1]],
  ['torch us', 9, (row) => against(row, 'torch int8', 'int8')[0]],
  ['ratio', 8, (row) => against(row, 'torch int8', 'int8')[1]],
  ['f32 us', 9, (row) => microseconds(row.results.float32.median)],
  ['GOPS', 5, (row) => gops(row, row.results.float32.median).toFixed(0)],
  ['peak', 6, (row) => peakShare(row, 'float32')],
  ['1 T', 7, (row) => scaling(row, 'float32')],
  ['ort us', 9, (row) => against(row, 'peer float32', 'float32')[0]],
  ['ratio', 8, (row) => against(row, 'peer float32', 'float32')[1]],
];

const line = (textOf) => COLUMNS.map((column) => String(textOf(column)).padStart(column[1])).join('');

export const headerLine = () => line(([title]) => title);
export const tableLine = (row) => line(([, , text]) => text(row));
