// @ts-check
// Fuzzes the parsers for longer than the tests do: npm run fuzz [-- TARGET [SECONDS]]. Without a target, all in turn, 60
// seconds each. A file that breaks one is kept in test/fuzz/corpus, which every later run tries first.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const [target, seconds = '60'] = process.argv.slice(2);
if (!(Number(seconds) > 0)) {
  console.error(`SECONDS must be a positive number, got ${seconds}`);
  process.exit(2);
}
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
const env = { ...process.env, QGEMM_FUZZ_SECONDS: seconds, ...(target && { QGEMM_FUZZ_TARGET: target }) };
const { status } = spawnSync(process.execPath, [vitest, 'run', 'test/fuzz/parsers.test.ts'], { stdio: 'inherit', env });
process.exit(status ?? 1);
