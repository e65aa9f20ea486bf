import { cpuInfo, setNumThreads } from '../cpu.js';
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

export type Shape = readonly [m: number, k: number, n: number];

/** One shape, y[M, N] = x[M, K] . W, with one number of threads. */
export interface BenchResult {
  readonly threads: number;
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly float32: Timing;
  readonly int8: Timing;
  /** Time of float32 by time of int8. */
  readonly speedup: number;
  /** Time of int8 with the first number of threads by this one's. */
  readonly scaling: number;
  /** Of the int8 result to the float32 one, on normally distributed values. */
  readonly cosine: number;
}

export interface BenchOptions {
  readonly shapes: readonly Shape[];
  readonly threads: readonly number[];
  readonly rounds: number;
  readonly onShape?: (shape: Shape, index: number) => void;
}

export const SHAPES: readonly Shape[] = [
  [1, 384, 1536],
  [1, 1024, 4096],
  [16, 768, 768],
  [16, 768, 3072],
  [128, 768, 768],
  [128, 768, 3072],
];

/** One sample repeats calls for about this long, so that the clock's resolution does not matter. */
const SAMPLE_SECONDS = 0.004;
/** For one shape; where calls are slow there are fewer rounds, at least so many. */
const SHAPE_SECONDS = 3;
const LEAST_ROUNDS = 3;

/**
 * Times every shape with both schemes and every number of threads, in interleaved rounds; throws when results do not
 * agree. Leaves the number of threads as it was.
 */
export function runBench({ shapes, threads, rounds, onShape }: BenchOptions): BenchResult[] {
  const before = cpuInfo().numThreads;
  try {
    return shapes.flatMap((shape, index) => {
      onShape?.(shape, index);
      return measure(shape, threads, rounds);
    });
  } finally {
    setNumThreads(before);
  }
}

function measure([m, k, n]: Shape, threads: readonly number[], rounds: number): BenchResult[] {
  const x = normal(m * k);
  const w = normal(n * k);
  const layers = (['float32', 'int8'] as const).map((scheme) => {
    using weights = PackedWeights.fromFloat32(w, [n, k], { scheme });
    return new Linear(weights);
  });
  const outputs = layers.map((layer) => layer.forward(x));
  const cosine = checkedCosine(outputs[0]!, outputs[1]!);
  const contestants = threads.flatMap((count) =>
    layers.map((layer, index) => ({ count, call: () => layer.forward(x, outputs[index]!), samples: [] as number[] })),
  );
  const repeats = contestants.map(({ count, call }) => {
    setNumThreads(count);
    return Math.max(1, Math.round(SAMPLE_SECONDS / sample(call, 2)));
  });
  const started = performance.now();
  for (let round = 0; round < rounds; ++round) {
    if (round >= LEAST_ROUNDS && performance.now() - started > SHAPE_SECONDS * 1000) break;
    contestants.forEach(({ count, call, samples }, index) => {
      setNumThreads(count);
      call();
      samples.push(sample(call, repeats[index]!));
    });
  }
  for (const layer of layers) layer.dispose();
  const timings = contestants.map(({ samples }) => timing(samples, 2 * m * n * k));
  return threads.map((count, index) => {
    const [float32, int8] = timings.slice(2 * index) as [Timing, Timing];
    const speedup = float32.medianSeconds / int8.medianSeconds;
    const scaling = timings[1]!.medianSeconds / int8.medianSeconds;
    return { threads: count, m, k, n, float32, int8, speedup, scaling, cosine };
  });
}

/** A few values may happen to cancel, so small results get some room. */
function checkedCosine(float32: Float32Array, int8: Float32Array): number {
  const { cosine } = native.compareFloat32(float32, int8);
  const least = float32.length >= 256 ? 0.999 : 0.9;
  if (cosine > least) return cosine;
  throw new QgemmError('ERR_QGEMM_RANGE', `the cosine of int8 to float32 must be above ${least}, got ${cosine}`);
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
