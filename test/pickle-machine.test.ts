import { expect, it } from 'vitest';
import { unpickle } from '../lib/formats/pytorch/pickle.js';
import { isPickleTuple, type PickleValue } from '../lib/formats/pytorch/pickle-values.js';
import { opcodes } from './support/pickle.js';

const rules = { what: 'pickle', find: () => undefined, load: () => null };
const plain = (value: PickleValue): unknown => (isPickleTuple(value) ? value.map(plain) : value);
const run = (...parts: Parameters<typeof opcodes>): unknown => plain(unpickle(opcodes(...parts), 0, rules).value);

it('marks in marks: each takes what was pushed after it', () => {
  // ((1, 2, (), (3,)), 4) and a mark below that stays
  expect(run('(', '(', '(K\x01K\x02(t(K\x03tt', 'K\x04t.')).toEqual([[1, 2, [], [3]], 4]);
});

it('memos in order, with gaps, again, and numbered by themselves after those', () => {
  const set = (value: number, index: number): (string | number)[] => ['K', value, 'q', index];
  const all = [...set(10, 0), ...set(11, 2), ...set(12, 1), ...set(13, 2), ...set(14, 0), ...set(15, 200)];
  // Four are known now: MEMOIZE takes number 4.
  expect(run('((', ...all, 'K\x10\x94', 't', '(h', 0, 'h', 1, 'h', 2, 'h', 200, 'h', 4, 't.')).toEqual([
    14, 12, 13, 15, 16,
  ]);
  expect(() => run('K\x01q', 3, 'h', 0, '.')).toThrow('uses the memo 0, which it has not set');
  expect(() => run('K\x01q', 0, 'h', 1, '.')).toThrow('uses the memo 1, which it has not set');
});
