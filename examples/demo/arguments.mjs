// @ts-check
import { parseArgs } from 'node:util';

export const HELP = `Usage: npm run demo -- [options]

Converts Universal Sentence Encoder lite to float32 and to int8 panels, embeds real sentences with both, and prints
what int8 costs in accuracy and gains in size and speed.

Options:
  --text FILE      embed the lines of FILE (UTF-8, one text per line) instead of the built-in sentences
  --json           print the results as JSON on stdout; with --text, the int8 embeddings too
  --threads N      threads to compute with (default: what qgemm chooses)
  --sentences N    how many of the built-in sentences to embed, 2 to 1000 (default: 240)
  --rounds N       timing rounds, 1 to 100 (default: 7)
  --help           print this text

The exit status is 0, 1 after an error or when the accuracy on the built-in sentences misses its bar, 2 for wrong usage.
`;

/** Wrong usage of the command line: exit status 2. */
export class UsageError extends Error {}

/**
 * @typedef {object} Arguments
 * @property {boolean} help
 * @property {boolean} json
 * @property {string | undefined} text
 * @property {number | undefined} threads
 * @property {number} sentences
 * @property {number} rounds
 */

/** @param {string[]} argv without node and script @returns {Arguments} */
export function parseArguments(argv) {
  const { values } = parse(argv);
  return {
    help: values.help ?? false,
    json: values.json ?? false,
    text: values.text,
    threads: integer('--threads', values.threads, 1, 1024),
    sentences: integer('--sentences', values.sentences, 2, 1000) ?? 240,
    rounds: integer('--rounds', values.rounds, 1, 100) ?? 7,
  };
}

/** @param {string[]} args */
function parse(args) {
  try {
    return parseArgs({
      args,
      options: {
        help: { type: 'boolean' },
        json: { type: 'boolean' },
        text: { type: 'string' },
        threads: { type: 'string' },
        sentences: { type: 'string' },
        rounds: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** @param {string} name @param {string | undefined} value @param {number} min @param {number} max */
function integer(name, value, min, max) {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < min || number > max) {
    throw new UsageError(`${name} must be an integer in [${min}, ${max}], got ${JSON.stringify(value)}`);
  }
  return number;
}
