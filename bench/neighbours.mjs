// Latency beside one busy process on each core: our calls on one thread and on all, interleaved with a register-only loop
// on one thread that takes as long as the call does when it is quiet. Whoever shares a core loses time slices; the loop
// shows how many, so what a call loses beyond that is its own. The same loop on all threads at once shows what anything
// loses that needs several cores.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { normal } from './cases.mjs';
import { summary } from './measure.mjs';

const SHAPES = [
  [1, 768, 3072],
  [16, 768, 768],
  [64, 768, 768],
  [128, 768, 3072],
];
const BLOCK = 16; // calls with the same number of threads, one after the other
const QUIET_MS = 300;
const ROUND_MS = 500; // for one shape
const CREW_MS = 200; // for the loop on all threads
const LOST_MS = 1; // a time slice is longer: whoever takes so much more than in quiet has lost at least one

/** Milliseconds of each call of `run`. */
function latency(run) {
  const start = performance.now();
  run();
  return performance.now() - start;
}

function quietMedian(run) {
  const samples = [];
  const until = performance.now() + QUIET_MS;
  while (performance.now() < until) samples.push(latency(run));
  return summary(samples).median;
}

/** CPUs that this process may use, from Linux's own list. */
function allowedCpus() {
  const { status, stdout } = spawnSync('taskset', ['-c', '-p', String(process.pid)], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  return stdout
    .slice(stdout.lastIndexOf(':') + 1)
    .trim()
    .split(',')
    .flatMap((range) => {
      const [first, last = first] = range.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
}

async function startBusy(cpus) {
  const file = fileURLToPath(new URL('busy.mjs', import.meta.url));
  const children = cpus.map((cpu) =>
    spawn('taskset', ['-c', String(cpu), process.execPath, file], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
  );
  await Promise.all(children.map((child) => once(child, 'message')));
  return () => children.forEach((child) => child.kill('SIGKILL'));
}

const quantile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
function distribution(samples, quiet) {
  const sorted = [...samples].sort((a, b) => a - b);
  return {
    p50: quantile(sorted, 0.5),
    p99: quantile(sorted, 0.99),
    mean: sorted.reduce((sum, ms) => sum + ms, 0) / sorted.length,
    max: sorted.at(-1),
    samples: sorted.length,
    lost: sorted.filter((ms) => ms > quiet + LOST_MS).length / sorted.length, // share of samples that lost a time slice
  };
}

/** The call, and a loop that takes as long in quiet. */
function prepare(qgemm, { loop, crew }, [m, k, n], threads) {
  const weights = qgemm.PackedWeights.fromFloat32(normal(n * k, n), [n, k], { scheme: 'int8' });
  const linear = new qgemm.Linear(weights);
  weights.dispose();
  const x = normal(m * k, m);
  const out = new Float32Array(m * n);
  const call = () => linear.forward(x, out);
  qgemm.setNumThreads(threads);
  const quiet = quietMedian(call);
  const TRIAL = 100_000;
  const perStep = quietMedian(() => loop(TRIAL)) / TRIAL;
  const steps = Math.max(1, Math.round(quiet / perStep));
  return {
    threads,
    quiet,
    call,
    loop: () => loop(steps),
    crew: threads > 1 ? { ...crew, loop: () => crew.loop(steps) } : undefined,
    callSamples: [],
    loopSamples: [],
    crewSamples: [],
    dispose: () => linear.dispose(),
  };
}

/**
 * Turns of a crew, after some that are not counted: its threads are new, and wait for a slice beside a neighbour. They spin
 * between turns: not while calls are measured, whose helpers they would keep from their core.
 */
function runCrew({ threads, crew, crewSamples }, milliseconds) {
  crew.start(threads);
  for (const start = performance.now(); performance.now() < start + QUIET_MS;) crew.loop();
  for (const start = performance.now(); performance.now() < start + milliseconds;) {
    crewSamples.push(latency(crew.loop));
  }
  crew.stop();
}

function runBlocks(qgemm, contestants, milliseconds) {
  const until = performance.now() + milliseconds;
  while (performance.now() < until) {
    for (const { threads, call, loop, callSamples, loopSamples } of contestants) {
      qgemm.setNumThreads(threads);
      call();
      for (let i = 0; i < BLOCK; i += 1) {
        callSamples.push(latency(call));
        loopSamples.push(latency(loop));
      }
    }
  }
}

/**
 * {skipped: why} or {cpus, rows}; each row has the distributions and their ratios for one shape and thread count. `loops`:
 * {loop, crew} of limits.mjs.
 */
export async function neighbourRounds(qgemm, loops, rounds) {
  const cpus = process.platform === 'linux' ? allowedCpus() : undefined;
  if (cpus === undefined) return { skipped: 'busy neighbours are pinned with taskset, which this system lacks' };
  if (!loops.loop) return { skipped: 'there is no register-only loop for this CPU' };
  // At a real-time priority neighbours would never run; this process and what it starts become ordinary ones.
  spawnSync('chrt', ['--all-tasks', '--other', '--pid', '0', String(process.pid)], { stdio: 'ignore' });
  const shapes = SHAPES.map((shape) => ({
    shape,
    contestants: [1, cpus.length].map((count) => prepare(qgemm, loops, shape, count)),
  }));
  const stop = await startBusy(cpus);
  try {
    for (const { contestants } of shapes) {
      runBlocks(qgemm, contestants, rounds * ROUND_MS);
      for (const contestant of contestants) if (contestant.crew) runCrew(contestant, rounds * CREW_MS);
    }
  } finally {
    stop();
  }
  const rows = shapes.flatMap(({ shape: [m, k, n], contestants }) => {
    const done = contestants.map(({ threads, quiet, callSamples, loopSamples, crewSamples, dispose }) => {
      dispose();
      return {
        m,
        k,
        n,
        threads,
        quiet,
        call: distribution(callSamples, quiet),
        loop: distribution(loopSamples, quiet),
        crew: threads > 1 ? distribution(crewSamples, quiet) : undefined,
      };
    });
    return done.map((row) => ({
      ...row,
      p99ToLoop: row.call.p99 / row.loop.p99,
      p99ToCrew: row.crew && row.call.p99 / row.crew.p99,
      medianToQuiet: row.call.p50 / row.quiet,
      medianToOneThread: row.call.p50 / done[0].call.p50,
      p99ToOneThread: row.call.p99 / done[0].call.p99,
    }));
  });
  return { cpus, rows };
}

export function neighbourLines({ skipped, cpus, rows }) {
  if (skipped) return [`busy neighbours: left out, ${skipped}`];
  const cells = (values) =>
    values
      .map((value, i) => String(value).padStart([2, 4, 5, 6, 8, 8, 8, 8, 8, 10, 10, 10, 11, 11, 11, 11, 9, 8, 8, 7][i]))
      .join('');
  const us = (ms) => (ms * 1e3).toFixed(0);
  return [
    `beside one busy process on each of ${cpus.length} CPUs, us (loop: registers only, one thread, as long in quiet; crew: the same loop on all threads):`,
    cells([
      'T',
      'M',
      'K',
      'N',
      'quiet',
      'p50',
      'p99',
      'max',
      'mean',
      'loop p50',
      'loop p99',
      'p99/loop',
      'crew p99',
      'p99/crew',
      'crew mean',
      'p50/quiet',
      'p50/1 T',
      'lost ‰',
      'loop ‰',
      'calls',
    ]),
    ...rows.map((row) =>
      cells([
        row.threads,
        row.m,
        row.k,
        row.n,
        us(row.quiet),
        us(row.call.p50),
        us(row.call.p99),
        us(row.call.max),
        us(row.call.mean),
        us(row.loop.p50),
        us(row.loop.p99),
        row.p99ToLoop.toFixed(2),
        row.crew ? us(row.crew.p99) : '-',
        row.p99ToCrew?.toFixed(2) ?? '-',
        row.crew ? us(row.crew.mean) : '-',
        row.medianToQuiet.toFixed(2),
        row.medianToOneThread.toFixed(2),
        (row.call.lost * 1e3).toFixed(1),
        (row.loop.lost * 1e3).toFixed(1),
        row.call.samples,
      ]),
    ),
  ];
}
