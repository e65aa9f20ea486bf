// Every method in every state: fresh, disposed of, disposed of twice.
import { describe, expect, it } from 'vitest';
import { Linear, PackedWeights } from '../lib/index.js';
import { randomFloats } from './support/random.js';
import { expectSameBits } from './support/same-bits.js';

const data = randomFloats(12, 1);
const x = randomFloats(8, 2);
const makeWeights = (): PackedWeights => PackedWeights.fromFloat32(data, [3, 4]);
const makeLinear = (): Linear => new Linear(makeWeights());

const weightsMethods: [string, (w: PackedWeights) => unknown][] = [
  ['n', (w) => w.n],
  ['k', (w) => w.k],
  ['dtype', (w) => w.dtype],
  ['byteLength', (w) => w.byteLength],
  ['handle', (w) => w.handle],
  ['new Linear', (w) => new Linear(w)],
];
const linearMethods: [string, (l: Linear) => unknown][] = [
  ['forward', (l) => l.forward(x)],
  ['forward, no rows', (l) => l.forward(new Float32Array(0))],
  ['forward, out', (l) => l.forward(x, new Float32Array(6))],
];
const states: [string, (o: { dispose(): void; [Symbol.dispose](): void }) => void][] = [
  ['disposed of', (o) => o.dispose()],
  ['disposed of by Symbol.dispose', (o) => o[Symbol.dispose]()],
  ['disposed of twice', (o) => [o.dispose(), o.dispose(), o[Symbol.dispose]()]],
];
const disposed = expect.objectContaining({ name: 'QgemmError', code: 'ERR_QGEMM_DISPOSED' }) as Error;

describe.each(states)('%s', (_, change) => {
  it.each(weightsMethods)('PackedWeights: %s throws DISPOSED', (_name, method) => {
    const w = makeWeights();
    expect(() => method(w)).not.toThrow();
    change(w);
    expect(() => method(w)).toThrow(disposed);
  });

  it.each(linearMethods)('Linear: %s throws DISPOSED', (_name, method) => {
    const linear = makeLinear();
    expect(() => method(linear)).not.toThrow();
    change(linear);
    expect(() => method(linear)).toThrow(disposed);
  });

  it('Linear: forwardAsync rejects with DISPOSED', async () => {
    const linear = makeLinear();
    await expect(linear.forwardAsync(x)).resolves.toHaveLength(6);
    change(linear);
    await expect(linear.forwardAsync(x)).rejects.toMatchObject({ code: 'ERR_QGEMM_DISPOSED' });
  });

  it('a layer does not mind what becomes of the PackedWeights it was made from', async () => {
    const w = makeWeights();
    const linear = new Linear(w);
    const expected = linear.forward(x);
    change(w);
    expectSameBits(linear.forward(x), expected);
    expectSameBits(await linear.forwardAsync(x), expected);
  });
});

describe('receivers', () => {
  const strangers = [undefined, null, {}, makeLinear, Object.create(Linear.prototype) as Linear];
  const method = (type: object, name: string): ((...args: unknown[]) => unknown) => {
    const property = Object.getOwnPropertyDescriptor(type, name);
    return (property?.value ?? property?.get) as (...args: unknown[]) => unknown;
  };

  it.each(['forward', 'dispose', 'n', 'k'])('Linear.prototype.%s refuses what is no Linear', (name) => {
    for (const stranger of [...strangers, makeWeights()]) {
      expect(() => method(Linear.prototype, name).call(stranger, x)).toThrow(
        expect.objectContaining({ code: 'ERR_QGEMM_ARGUMENT' }),
      );
    }
  });

  it.each(['dispose', 'n', 'k', 'dtype', 'byteLength', 'handle'])('PackedWeights.prototype.%s likewise', (name) => {
    for (const stranger of [...strangers, makeLinear()]) {
      expect(() => method(PackedWeights.prototype, name).call(stranger)).toThrow(
        expect.objectContaining({ code: 'ERR_QGEMM_ARGUMENT' }),
      );
    }
  });
});
