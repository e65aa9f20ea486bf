// npm run bench: Linear.forward against onnxruntime-node and against the limit of the machine. --help says how.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { calibration } from './calibrate.mjs';
import { eventLoopGaps, tinyCalls } from './calls.mjs';
import { checkResult, makeWeights, normal } from './cases.mjs';
import { interleave } from './measure.mjs';
import { HELP, parseOptions } from './options.mjs';
import { peerName, peers, warmUp } from './peers.mjs';
import { HEADER, line, summarize, summaryLines, tableLine } from './report.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const qgemm = createRequire(import.meta.url)('../dist/index.js');
const SETTLE_MS = 50; // with several threads: onnxruntime's idle ones spin for 30 ms

/** One shape: checks every contestant's result, then times them. */
async function measureShape(weights, sessions, m, threads, peak, rounds) {
  const { n, k } = weights;
  const x = normal(m * k, m + k);
  const outs = { int8: new Float32Array(m * n), float32: new Float32Array(m * n) };
  const contestants = ['int8', 'float32'].map((name) => ({
    name,
    owner: 'qgemm',
    run: () => weights[name].forward(x, outs[name]),
    output: (y) => y,
  }));
  for (const name of sessions ? ['int8', 'float32'] : []) {
    const ways = sessions[name](x, m);
    ways.forEach((run, way) =>
      contestants.push({
        name: `peer ${name} ${way}`,
        owner: `peer ${name}`,
        async: true,
        run,
        output: ({ y }) => y.data,
      }),
    );
  }
  const errors = {};
  for (const { name, run, output } of contestants) {
    errors[name] = checkResult(name, name.includes('int8') ? 'int8' : 'float32', weights, x, m, output(await run()));
  }
  const peaks = { int8: 0, float32: 0 };
  const calibrate = () => {
    for (const precision of ['int8', 'float32']) peaks[precision] = Math.max(peaks[precision], peak[precision]());
  };
  const results = await interleave(contestants, rounds, threads > 1 ? SETTLE_MS : 0, calibrate);
  // The peer is credited with the faster of its ways.
  for (const name of sessions ? ['peer int8', 'peer float32'] : []) {
    const ways = [...results].filter(([key]) => key.startsWith(name)).map(([, result]) => result);
    results.set(
      name,
      ways.reduce((a, b) => ({ ...a, median: Math.min(a.median, b.median), best: Math.min(a.best, b.best) })),
    );
  }
  return { threads, m, k, n, results: Object.fromEntries(results), peaks, errors };
}

async function measureAll({ shapes, threads, rounds }, peak) {
  const rows = [];
  const matrices = new Map(shapes.map(([, k, n]) => [`${k}x${n}`, [k, n]]));
  for (const count of threads) {
    qgemm.setNumThreads(count);
    console.log(`\n${line(HEADER)}`);
    for (const [k, n] of matrices.values()) {
      const weights = makeWeights(qgemm, n, k);
      const sessions = await peers(weights, count);
      for (const [m] of shapes.filter((shape) => shape[1] === k && shape[2] === n)) {
        const row = await measureShape(weights, sessions, m, count, peak, rounds);
        rows.push(row);
        console.log(tableLine(row));
      }
      await sessions?.release();
      weights.dispose();
    }
  }
  return rows;
}

async function measureCalls() {
  const tiny = await tinyCalls(qgemm);
  console.log(
    `\nLinear.forward, M=1 K=8 N=8: ${tiny.sync.best.toFixed(2)} us at best, ${tiny.sync.median.toFixed(2)} us in median`,
  );
  console.log(
    `forwardAsync, back-to-back awaits: ${tiny.async.best.toFixed(1)} us at best, ${tiny.async.median.toFixed(1)} us in median`,
  );
  const gaps = await eventLoopGaps(qgemm);
  console.log(
    `largest gap of a 1 ms timer during forwardAsync of 512 x 4096 x 4096: ${gaps.median.toFixed(1)} ms in median of ${gaps.samples} calls, ${gaps.worst.toFixed(1)} ms at worst`,
  );
  return { tiny, gaps };
}

async function main() {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) return void process.stdout.write(HELP);
  const info = qgemm.cpuInfo();
  const peak = calibration(info);
  const model = info.model || cpus()[0]?.model;
  console.log(
    `${model}, ${info.isa}, Node ${process.version}; peak loops: ${peak.instructions.int8 || 'none'}, ${peak.instructions.float32 || 'none'}`,
  );
  console.log(peerName ? `peer: ${peerName}` : 'peer: none ("npm run bench:peers" installs onnxruntime-node)');
  await warmUp();
  const rows = await measureAll(options, peak);
  const summaries = options.threads.flatMap((count) => summarize(rows, count));
  console.log(`\n${summaryLines(summaries).join('\n')}`);
  const calls = options.calls ? await measureCalls() : undefined;

  const date = new Date().toISOString();
  const file = options.json ?? join(here, 'results', `${date.replaceAll(':', '-')}.json`);
  mkdirSync(dirname(file), { recursive: true });
  const report = {
    date,
    command: ['npm run bench --', ...process.argv.slice(2)].join(' '),
    model,
    cpu: info,
    node: process.version,
    peer: peerName,
    instructions: peak.instructions,
    rows,
    summaries,
    calls,
  };
  writeFileSync(file, `${JSON.stringify(report, null, 1)}\n`);
  console.log(`\nwritten to ${file}`);
}

main().catch((error) => {
  console.error(`bench: ${error.message}`);
  process.exitCode = 1;
});
