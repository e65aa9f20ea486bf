// @ts-check
// `npm run demo`: a published sentence encoder converted to int8, run, and compared with itself in float32.
import { setNumThreads } from 'qgemm';
import { HELP, parseArguments, UsageError } from './arguments.mjs';
import { EMBEDDING_WIDTH } from './encoder.mjs';
import { formatResults } from './report.mjs';
import { collectResults } from './results.mjs';
import { readSentences } from './sentences.mjs';
import { readTexts } from './texts.mjs';

/** @returns {Promise<number>} exit status */
async function main() {
  const args = parseArguments(process.argv.slice(2));
  if (args.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const input =
    args.text === undefined
      ? { texts: readSentences(args.sentences), source: 'mails of the SpamAssassin corpus', barsApply: true }
      : { texts: readTexts(args.text), source: args.text, barsApply: false };
  if (args.threads !== undefined) setNumThreads(args.threads);

  const { results, embeddings } = await collectResults({ ...input, rounds: args.rounds }, (line) =>
    process.stderr.write(`${line}\n`),
  );
  if (args.json) {
    const rows = args.text === undefined ? {} : { embeddings: toRows(input.texts, embeddings) };
    process.stdout.write(`${JSON.stringify({ ...results, ...rows }, null, 2)}\n`);
  } else {
    process.stdout.write(`\n${formatResults(results)}`);
  }
  if (!results.passed) throw new Error('the accuracy of int8 is below its bar');
  return 0;
}

/** @param {string[]} texts @param {Float32Array} embeddings */
function toRows(texts, embeddings) {
  return texts.map((text, row) => ({
    text,
    embedding: Array.from(embeddings.subarray(row * EMBEDDING_WIDTH, (row + 1) * EMBEDDING_WIDTH)),
  }));
}

// A reader that has seen enough (`| head`) closes the pipe: no reason to complain.
process.stdout.on('error', (error) => process.exit('code' in error && error.code === 'EPIPE' ? 0 : 1));
try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
