// @ts-check
import { readFileSync } from 'node:fs';

/** The demo holds all lines and their embeddings in memory, and prints them as one JSON string. */
const MAX_LINES = 10_000;

/**
 * The lines of a UTF-8 file that hold something.
 * @param {string} path
 * @returns {string[]}
 */
export function readTexts(path) {
  let text;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    const reason =
      error instanceof TypeError ? 'it is not UTF-8' : error instanceof Error ? error.message : String(error);
    throw new Error(`--text must name a readable UTF-8 file, got ${JSON.stringify(path)}: ${reason}`, { cause: error });
  }
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  if (lines.length === 0) throw new Error(`--text must name a file with at least one line of text, ${path} has none`);
  if (lines.length > MAX_LINES) {
    throw new Error(`--text must name a file of at most ${MAX_LINES} lines, ${path} has ${lines.length}`);
  }
  return lines;
}
