// Interleaved rounds: in each round every contestant is timed once, one after the other, so that a slow second of a
// shared machine hits them all.
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

const SAMPLE_MS = 4; // one sample repeats a call until it takes about this long
const BUDGET_MS = 4000; // for one shape; fewer rounds where calls are slow
const MIN_ROUNDS = 5;
// Caches should hold a contestant's own data, whoever ran before. The last of them may keep only what it has seen some
// times: 64 MB of weights take four calls on a Granite Rapids server. Long calls are hardly limited by that.
const WARM_CALLS = 5;
const QUICK_MS = 20;
// A core that was idle takes some milliseconds to come to its clock; after a pause all but one were.
const WARM_MS = 10;

export function summary(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, best: sorted[0], samples: sorted.length };
}

/** What summary() says of one contestant, and its time in each round. */
export const roundsSummary = (times) => ({ ...summary(times), times });

/**
 * How many times as long `theirs` took as `ours`: the median over the rounds of the ratio within each round, so that
 * a slow second of the machine, which hits both, does not count.
 */
export function pairedRatio(theirs, ours) {
  if (theirs.times?.length !== ours.times?.length) throw new Error('times of different rounds cannot be compared');
  return summary(theirs.times.map((time, round) => time / ours.times[round])).median;
}

/** Milliseconds per call. Synchronous functions pay no await; those that run elsewhere say what it took. */
async function time(contestant, repeats) {
  const { run, sample, before } = contestant;
  before?.();
  if (sample) return sample(repeats);
  const start = performance.now();
  if (contestant.async) for (let i = 0; i < repeats; i += 1) await run();
  else for (let i = 0; i < repeats; i += 1) run();
  return (performance.now() - start) / repeats;
}

/** A function that calls the next of `functions` each time. */
export function inTurn(functions) {
  let next = 0;
  return (...args) => {
    const call = functions[next];
    next = (next + 1) % functions.length;
    return call(...args);
  };
}

/**
 * Times contestants {name, owner, async, and run() or sample(repeats), before()?}, each of `layers` calls in turn, and calls
 * `between` once per round. Returns name -> {median, best, times} in milliseconds. Where the owner changes and the one before
 * is asynchronous, `settle` milliseconds pass first: its idle threads may still be spinning.
 */
export async function interleave(contestants, { rounds, layers = 1, settle, between }) {
  const repeats = new Map();
  const quick = new Set();
  let round = 0;
  for (const contestant of contestants) {
    await time(contestant, layers);
    const once = await time(contestant, layers);
    if (once < QUICK_MS) quick.add(contestant);
    const turns = Math.max(1, Math.min(2000, Math.round(SAMPLE_MS / once / layers)));
    repeats.set(contestant, turns * layers);
    round += Math.max(once * layers, SAMPLE_MS);
  }
  const count = Math.max(Math.min(MIN_ROUNDS, rounds), Math.min(rounds, Math.floor(BUDGET_MS / round)));
  const samples = new Map(contestants.map(({ name }) => [name, []]));
  let last = contestants.at(-1);
  for (let i = 0; i < count; i += 1) {
    // Each contestant follows each other one in turn.
    const order = contestants.map((_, at) => contestants[(at + i) % contestants.length]);
    for (const contestant of order) {
      if (settle > 0 && last.async && last.owner !== contestant.owner) await sleep(settle);
      last = contestant;
      const calls = repeats.get(contestant);
      const fewest = layers > 1 ? layers : quick.has(contestant) ? WARM_CALLS : 1;
      const warm = settle > 0 && quick.has(contestant) ? Math.ceil((calls * WARM_MS) / SAMPLE_MS / layers) * layers : 0;
      await time(contestant, Math.max(fewest, warm));
      samples.get(contestant.name).push(await time(contestant, calls));
    }
    between();
  }
  return new Map([...samples].map(([name, times]) => [name, roundsSummary(times)]));
}
