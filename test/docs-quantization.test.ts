import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root, runChild } from './support/child.js';

const page = readFileSync(join(root, 'docs', 'quantization.md'), 'utf8');
const examples = [...page.matchAll(/^```js\n(.*?)^```$/gms)].map((match) => match[1]!);

test('the page has examples', () => {
  expect(examples.length).toBeGreaterThanOrEqual(3);
});

test.each(examples.map((code, i) => [i + 1, code] as const))('example %d prints what it says', async (_i, code) => {
  const expected = [...code.matchAll(/\/\/ => (.*)$/gm)].map((match) => match[1]);
  const local = code.replaceAll("require('qgemm')", 'qgemm');
  const { stdout, stderr } = await runChild(local);
  expect(stderr).toBe('');
  expect(stdout.trim().split('\n')).toEqual(expected);
});
