// Code of the caller's that runs in the middle of a call (getters, methods of a caller's array, async hooks) may transfer
// buffers. Each case runs in a process of its own: a use after free would end that process with a signal.
import { expect, it } from 'vitest';
import { root, runChild } from './support/child.js';
import { scaled } from './support/emulated.js';

const setup = `
  const [m, n, k] = [${scaled(1024, 32)}, ${scaled(512, 64)}, ${scaled(4096, 512)}];
  const { Linear, PackedWeights } = qgemm;
  const linear = new Linear(PackedWeights.fromFloat32(new Float32Array(n * k).fill(0.5), [n, k]));
  const x = new Float32Array(m * k).fill(1);
  const expected = linear.forward(x.slice(), new Float32Array(m * n));
  const same = (y) => y.length === expected.length && y.every((value, i) => value === expected[i]);
  const take = (array) => { structuredClone(array.buffer, { transfer: [array.buffer] }); gc(); };
  const report = (promise) => Promise.resolve(promise).then(([y]) => console.log(same(y)), (error) => console.log(error.code));
`;

async function run(code: string): Promise<string> {
  const child = await runChild(setup + code, { nodeArguments: ['--expose-gc'] });
  expect(child).toMatchObject({ code: 0, signal: null, stderr: '' });
  return child.stdout.trim();
}

/** The array that a replaced `map` returns for results keeps them, or takes x away when it is read. */
const mapThat = (does: string): string => `function (...args) {
  const mapped = realMap.apply(this, args);
  if (mapped[0] instanceof Float32Array) { ${does} }
  return mapped;
}`;
const realMap = 'const realMap = Array.prototype.map;';

it("methods of the caller's array of layers do not run", async () => {
  const steal = mapThat('Object.defineProperty(mapped, 0, { get() { take(x); return new Float32Array(m * n); } });');
  const code = `${realMap} const linears = [linear]; linears.map = ${steal};
    report(Linear.forwardAll(linears, x));`;
  expect(await run(code)).toBe('true');
});

it.each([
  ['the map of all arrays', `${realMap} Array.prototype.map = ${mapThat('stolen = mapped[0];')};`],
  [
    'Buffer.allocUnsafeSlow',
    'const real = Buffer.allocUnsafeSlow; Buffer.allocUnsafeSlow = (size) => (stolen = real(size));',
  ],
  [
    'Float32Array',
    'const Real = Float32Array; globalThis.Float32Array = class Float32Array extends Real { constructor(a) { super(a); stolen = this; } };',
  ],
])('results that are being written are out of the reach of a replaced %s', async (_, replace) => {
  const code = `let stolen; ${replace}
    const jobs = [Linear.forwardAllAsync([linear], x), linear.forwardAsync(x).then((y) => [y])];
    const product = qgemm.matmulQuantizedAsync(x, x, { m, n: m, k });
    console.log(stolen === undefined);
    if (stolen) take(stolen);
    stolen = undefined;
    report(jobs[0]).then(() => report(jobs[1])).then(() => product).catch((error) => console.log(error.code));`;
  expect(await run(code)).toBe('true\ntrue\ntrue');
});

it.each([
  'linear.forwardAsync(x).then((y) => [y])',
  'qgemm.matmulQuantizedAsync(x, x, { m, n: m, k }).then((y) => [y])',
])('an async hook that transfers x during the first call of %s', async (call) => {
  const code = `require('node:async_hooks').createHook({ init(_, type) { if (type === 'qgemm') take(x); } }).enable();
      report(${call});`;
  expect(await run(code)).toBe('ERR_QGEMM_SHAPE');
});

it('getters in the arrays that the addon itself is given', async () => {
  const code = `const addon = require(${JSON.stringify(`${root}/build/Release/qgemm.node`)});
    const info = addon.packFloat32(new Float32Array(n * k).fill(0.5), n, k, false, 0, 0, true, 0, false);
    const layer = addon.linearCreate(info, null, 0, false, null, null);
    const y = new Float32Array(m * n);
    const outs = Object.defineProperty([], 0, { get() { take(x); return y; } });
    try { addon.linearForwardAll([layer], x, null, null, m, outs, null); console.log(y[0]); }
    catch (error) { console.log(error.code); }`;
  expect(await run(code)).toBe('ERR_QGEMM_SHAPE');
});
