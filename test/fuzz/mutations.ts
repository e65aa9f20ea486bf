import fc from 'fast-check';

/** One change of some bytes. Positions are fractions, so that they fit a file of any length and shrink with it. */
type Mutation = (bytes: Buffer) => Buffer;

/** Numbers at which lengths, counts and offsets go wrong. */
const INTERESTING = [
  0n,
  1n,
  7n,
  0x7fn,
  0xffn,
  0xffffn,
  2n ** 31n - 1n,
  2n ** 32n - 1n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];
const WORDS = ['"', '{', ']', ',', '-1', '1e999', 'null', '__proto__', '..', '\0', '\xff', 'F32', 'torch.FloatStorage'];

const place = fc.double({ min: 0, max: 1, noNaN: true });
const at = (bytes: Buffer, position: number): number => Math.min(bytes.length, Math.floor(position * bytes.length));

const flip = fc.tuple(place, fc.nat(7)).map(([position, bit]): Mutation => (bytes) => {
  const copy = Buffer.from(bytes);
  const i = at(bytes, position);
  if (i < copy.length) copy[i]! ^= 1 << bit;
  return copy;
});
const number = fc
  .tuple(place, fc.constantFrom(...INTERESTING), fc.constantFrom(1, 2, 4, 8))
  .map(([position, value, size]): Mutation => (bytes) => {
    const word = Buffer.alloc(8);
    word.writeBigUInt64LE(value);
    const copy = Buffer.from(bytes);
    word.copy(copy, at(bytes, position), 0, size);
    return copy;
  });
const remove = fc.tuple(place, fc.integer({ min: 1, max: 64 })).map(([position, count]): Mutation => (bytes) => {
  const i = at(bytes, position);
  return Buffer.concat([bytes.subarray(0, i), bytes.subarray(i + count)]);
});
const insert = fc
  .tuple(place, fc.oneof(fc.constantFrom(...WORDS), fc.string({ maxLength: 4 })))
  .map(([position, text]): Mutation => (bytes) => {
    const i = at(bytes, position);
    return Buffer.concat([bytes.subarray(0, i), Buffer.from(text, 'latin1'), bytes.subarray(i)]);
  });
const repeat = fc
  .tuple(place, place, fc.integer({ min: 1, max: 256 }))
  .map(([from, to, count]): Mutation => (bytes) => {
    const [source, target] = [at(bytes, from), at(bytes, to)];
    const piece = bytes.subarray(source, source + count);
    return Buffer.concat([bytes.subarray(0, target), piece, bytes.subarray(target)]);
  });
const cut = place.map(
  (position): Mutation =>
    (bytes) =>
      bytes.subarray(0, at(bytes, position)),
);

/** One to four changes, one after another. */
export const mutations: fc.Arbitrary<Mutation> = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: flip },
      { weight: 4, arbitrary: number },
      { weight: 2, arbitrary: remove },
      { weight: 2, arbitrary: insert },
      { weight: 2, arbitrary: repeat },
      { weight: 1, arbitrary: cut },
    ),
    { minLength: 1, maxLength: 4 },
  )
  .map((changes) => (bytes) => changes.reduce((result, change) => change(result), bytes));
