import { QgemmError } from '../errors.js';
import { Linear } from '../linear.js';
import { native } from '../native.js';
import { PackedWeights } from '../packed-weights.js';

interface Timing {
  readonly medianSeconds: number;
  readonly bestSeconds: number;
  /** 2 M N K operations per median time, in 10^9 per second. */
  readonly gops: number;
}

/** One shape, y[M, N] = x[M, K] . W. */
export interface BenchResult {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly float32: Timing;
  readonly int8: Timing;
  readonly speedup: number;
  /** Of the int8 result to the float32 one, on normally distributed values. */
  readonly cosine: number;
}

export const SHAPES: readonly (readonly [m: number, k: number, n: number])[] = [
  [1, 384, 1536],
  [1, 1024, 4096],
  [16, 768, 768],
  [16, 768, 3072],
  [128, 768, 768],
  [128, 768, 3072],
];

/** One sample repeats calls for about this long, so that the clock's resolution does not matter. */
const SAMPLE_SECONDS = 0.004;

/** Times every shape with both schemes in turn; throws when the two results do not agree. */
export function runBench(shapes: typeof SHAPES, rounds: number): BenchResult[] {
  return shapes.map(([m, k, n]) => {
    const x = normal(m * k);
    const w = normal(n * k);
    const layers = (['float32', 'int8'] as const).map((scheme) => {
      using weights = PackedWeights.fromFloat32(w, [n, k], { scheme });
      return new Linear(weights);
    });
    const outputs = layers.map((layer) => layer.forward(x));
    const { cosine } = native.compareFloat32(outputs[0]!, outputs[1]!);
    if (!(cosine > 0.999))
      throw new QgemmError('ERR_QGEMM_RANGE', `the cosine of int8 to float32 must be above 0.999, got ${cosine}`);
    const calls = layers.map((layer, index) => () => layer.forward(x, outputs[index]!));
    const repeats = calls.map((call) => Math.max(1, Math.round(SAMPLE_SECONDS / sample(call, 3))));
    const samples: number[][] = [[], []];
    for (let round = 0; round < rounds; ++round) {
      calls.forEach((call, index) => samples[index]!.push(sample(call, repeats[index]!)));
    }
    for (const layer of layers) layer.dispose();
    const [float32, int8] = samples.map((times) => timing(times, 2 * m * n * k)) as [Timing, Timing];
    return { m, k, n, float32, int8, speedup: float32.medianSeconds / int8.medianSeconds, cosine };
  });
}

function sample(call: () => unknown, repeats: number): number {
  const started = performance.now();
  for (let i = 0; i < repeats; ++i) call();
  return (performance.now() - started) / 1000 / repeats;
}

function timing(times: number[], operations: number): Timing {
  times.sort((a, b) => a - b);
  const medianSeconds = times[times.length >> 1]!;
  return { medianSeconds, bestSeconds: times[0]!, gops: operations / medianSeconds / 1e9 };
}

/** Normally distributed values (Box-Muller), from a fixed seed. */
function normal(length: number): Float32Array {
  const values = new Float32Array(length);
  let state = 0x9e3779b9;
  const uniform = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  for (let i = 0; i < length; ++i) values[i] = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return values;
}
