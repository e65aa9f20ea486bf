// @ts-check
// The results as text, at most 96 columns wide (a longer word excepted).
import { BARS, MAX_PAIR_ROWS, PARAPHRASE } from './accuracy.mjs';

/** @typedef {import('./results.mjs').Results} Results */

const WIDTH = 96;
/** Columns before a neighbour's text. */
const INDENT = 9;
/** Longer texts are cut. */
const MAX_TEXT_LINES = 4;

/** @param {Results} results @returns {string} */
export function formatResults(results) {
  return [heading(results), costs(results), accuracy(results), paraphrase(results), neighbours(results)]
    .map((lines) => lines.join('\n'))
    .join('\n\n')
    .concat('\n');
}

/** @param {Results} results */
function heading({ machine, texts, speed }) {
  return [
    'Universal Sentence Encoder lite on qgemm: float32 and int8',
    '',
    `  CPU      ${machine.cpu}`,
    `  kernels  ${machine.isa}, ${count(machine.threads, 'thread')}; Node ${machine.node}`,
    `  texts    ${count(texts.count, 'text')}, ${count(texts.tokens, 'token')}, from ${texts.source}`,
    `  timing   text to embedding, median of ${count(speed.rounds, 'interleaved round')} of ${count(speed.texts, 'text')}`,
  ];
}

/** @param {Results} results */
function costs({ files, memory, speed }) {
  const { float32, int8 } = speed;
  /** @type {Array<[string, number | null, number | null, (value: number) => string, 'smaller' | 'faster']>} */
  const rows = [
    ['model file', files.float32.bytes, files.int8.bytes, megabytes, 'smaller'],
    ['memory added by the model', memory.float32.added, memory.int8.added, megabytes, 'smaller'],
    ['  of it private', memory.float32.addedPrivate, memory.int8.addedPrivate, megabytes, 'smaller'],
    ['resident memory of the process', memory.float32.resident, memory.int8.resident, megabytes, 'smaller'],
    ['sentences per second', float32.sentencesPerSecond, int8.sentencesPerSecond, (x) => x.toFixed(0), 'faster'],
    ['time in the ten weight matmuls', float32.matmulMilliseconds, int8.matmulMilliseconds, milliseconds, 'smaller'],
    ['time in the rest, which is JavaScript', elsewhere(float32), elsewhere(int8), milliseconds, 'smaller'],
  ];
  return [
    row('', 'float32', 'int8', ''),
    ...rows.flatMap(([name, a, b, format, better]) =>
      a === null || b === null ? [] : [row(name, format(a), format(b), ratio(a, b, better))],
    ),
    `  (published graph: ${megabytes(files.source.bytes)})`,
  ];
}

/** @param {Results} results */
function accuracy({ accuracy: { cosineMean, cosineMin, rankCorrelation, pairs }, barsApply }) {
  /** @param {number} bar */
  const wanted = (bar) => (barsApply ? `at least ${bar}` : '');
  return [
    row('int8 against float32', '', 'measured', barsApply ? 'bar' : ''),
    row('cosine of the embeddings, mean', '', cosineMean.toFixed(6), wanted(BARS.cosineMean)),
    row('cosine of the embeddings, least', '', cosineMin.toFixed(6), wanted(BARS.cosineMin)),
    ...(rankCorrelation === null
      ? []
      : [
          row(
            `rank correlation of ${count(pairs, 'pair')}`,
            '',
            rankCorrelation.toFixed(6),
            wanted(BARS.rankCorrelation),
          ),
        ]),
  ];
}

/** @param {Results} results */
function paraphrase({ paraphrase: { float32, int8 } }) {
  return [
    row('similarity', 'float32', 'int8', ''),
    row(
      PARAPHRASE.pair.map((text) => `"${text}"`).join(' '),
      float32.paraphrase.toFixed(3),
      int8.paraphrase.toFixed(3),
      '',
    ),
    row('most similar unrelated pair', float32.unrelatedMax.toFixed(3), int8.unrelatedMax.toFixed(3), ''),
  ];
}

/** @param {Results} results */
function neighbours({ texts: { count: total }, neighbours: pairs }) {
  if (pairs.length === 0) return ['One text has no neighbours.'];
  return [
    `Nearest neighbours (int8)${total > MAX_PAIR_ROWS ? ` among the first ${MAX_PAIR_ROWS} texts` : ''}`,
    ...pairs.flatMap(({ similarity, texts: [first, second] }) => [
      ...wrap(`  ${similarity.toFixed(3)}  `, first),
      ...wrap('', second),
    ]),
  ];
}

/** @param {string} name @param {string} a @param {string} b @param {string} note */
function row(name, a, b, note) {
  return `  ${name.padEnd(46)}${a.padStart(12)}${b.padStart(12)}   ${note}`.trimEnd();
}

/** @param {number} a @param {number} b @param {'smaller' | 'faster'} better */
function ratio(a, b, better) {
  const factor = better === 'smaller' ? a / b : b / a;
  return Number.isFinite(factor) && factor > 0 ? `${factor.toFixed(2)}x` : '';
}

/** @param {number} bytes */
function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** @param {import('./speed.mjs').Speed} speed */
function elsewhere({ milliseconds, matmulMilliseconds }) {
  return milliseconds - matmulMilliseconds;
}

/** @param {number} value */
function milliseconds(value) {
  return `${value.toFixed(value < 100 ? 1 : 0)} ms`;
}

/** @param {number} value @param {string} noun */
function count(value, noun) {
  return `${value.toLocaleString('en-US')} ${noun}${value === 1 ? '' : 's'}`;
}

/**
 * Printable words in lines of at most WIDTH columns, the first one after a label.
 * @param {string} label @param {string} text
 */
function wrap(label, text) {
  const lines = [label.padEnd(INDENT)];
  for (const word of text.split(/[\p{C}\s]+/u)) {
    const line = lines.at(-1) ?? '';
    if (line.length + word.length >= WIDTH && line.length > INDENT) lines.push(' '.repeat(INDENT) + word);
    else lines[lines.length - 1] = line.length > INDENT ? `${line} ${word}` : line + word;
    if (lines.length > MAX_TEXT_LINES) return [...lines.slice(0, MAX_TEXT_LINES - 1), `${' '.repeat(INDENT)}...`];
  }
  return lines;
}
