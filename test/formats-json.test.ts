import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson, type JsonValue } from '../lib/formats/json.js';
import { QgemmError } from '../lib/index.js';
import { runs } from './support/runs.js';

const parse = (text: string, integersOnly = false): JsonValue =>
  parseJson(Buffer.from(text), { what: 'the text', integersOnly });

/** Maps as plain objects, as JSON.parse gives them. */
function plain(value: JsonValue): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (!(value instanceof Map)) return value;
  return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]));
}

describe('parseJson', () => {
  it('gives what JSON.parse gives for every value without equal keys', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(undefined, 2), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(plain(parse(text))).toEqual(JSON.parse(text));
      }),
    );
  });

  it('agrees with JSON.parse on which short texts are JSON', () => {
    const tokens = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"',
      '\\',
      'a',
      '1',
      '-',
      '0',
      '.',
      'e',
      'true',
      'null',
      ' ',
      '\n',
      '\u0001',
      '\\u0041',
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...tokens), { maxLength: 8 }), (parts) => {
        const text = parts.join('');
        let expected: unknown;
        try {
          expected = JSON.parse(text);
        } catch {
          expect(() => parse(text)).toThrow(QgemmError);
          return;
        }
        try {
          expect(plain(parse(text))).toEqual(expected);
        } catch (error) {
          if (!(error instanceof QgemmError && /every key once/.test(error.message))) throw error;
        }
      }),
      { numRuns: runs(1000) },
    );
  });

  it('keeps __proto__ and constructor as keys', () => {
    const value = parse('{"__proto__":{"x":1},"constructor":2}') as Map<string, JsonValue>;
    expect([...value.keys()]).toEqual(['__proto__', 'constructor']);
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  it.each([
    ['{"a":1,"a":1}', /every key once, but has "a" twice/],
    ['{"a":1,"\\u0061":1}', /every key once/],
    ['"\\udc00"', /lone surrogates/],
    ['{"a" 1}', /expected ":" at character 5, got "1}"/],
    ['', /expected a value at character 0, got the end/],
    ['tru', /expected a value/],
    ['1 2', /expected the end of the text/],
  ])('refuses %s', (text, message) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({ code: 'ERR_QGEMM_FORMAT', message: expect.stringMatching(message) }),
    );
  });

  it.each(['1.0', '1e2', '-1', '-0', '9007199254740993', '1e400'])(
    'refuses %s where only integers are allowed',
    (text) => {
      expect(parse(text)).toBe(Number(text));
      expect(() => parse(text, true)).toThrow(/integers from 0 to 2\^53 - 1/);
    },
  );

  it('takes 9007199254740991 as an integer', () => {
    expect(parse('9007199254740991', true)).toBe(Number.MAX_SAFE_INTEGER);
  });

  it('nests 64 levels and no more', () => {
    expect(() => parse(`${'['.repeat(64)}1${']'.repeat(64)}`)).not.toThrow();
    expect(() => parse(`${'['.repeat(65)}1${']'.repeat(65)}`)).toThrow(/at most 64 levels/);
  });

  it('reads a string of a million escapes', () => {
    expect(parse(`"${'\\n'.repeat(1_000_000)}"`)).toHaveLength(1_000_000);
  });
});
