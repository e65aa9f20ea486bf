// npm run bench: Linear.forward against other libraries and against the limits of the machine. --help says how.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventLoopGaps, tinyCalls } from './calls.mjs';
import { makeWeights } from './cases.mjs';
import { chart } from './chart.mjs';
import { peaks } from './limits.mjs';
import { markdown } from './markdown.mjs';
import { neighbourLines, neighbourRounds } from './neighbours.mjs';
import { HELP, parseOptions } from './options.mjs';
import { pauseLines, pauseRounds } from './pauses.mjs';
import { peerName, peers, warmUp } from './peers.mjs';
import { headerLine, tableLine } from './report.mjs';
import { measureShape } from './shape.mjs';
import { summarize, summaryLines } from './summary.mjs';
import { startTorch } from './torch.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const qgemm = createRequire(import.meta.url)('../dist/index.js');

async function measureAll({ shapes, threads, rounds, layers }, peak, torch) {
  const rows = [];
  const matrices = new Map(shapes.map(([, k, n]) => [`${k}x${n}`, [k, n]]));
  for (const count of threads) {
    console.log(`\n${headerLine()}`);
    for (const [k, n] of matrices.values()) {
      const weights = makeWeights(qgemm, n, k, layers);
      const sessions = await peers(weights, count);
      const contestants = { weights, sessions, torch: await torch?.load(weights), peak };
      for (const [m] of shapes.filter((shape) => shape[1] === k && shape[2] === n)) {
        const row = await measureShape(qgemm, contestants, m, count, rounds);
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

async function measureNeighbours(peak, rounds) {
  const neighbours = await neighbourRounds(qgemm, peak, rounds);
  console.log(`\n${neighbourLines(neighbours).join('\n')}`);
  return neighbours;
}

function measurePauses({ shapes, threads }, initialThreads) {
  const rows = pauseRounds(qgemm, shapes, threads);
  qgemm.setNumThreads(initialThreads);
  console.log(`\n${pauseLines(rows).join('\n')}`);
  return rows;
}

async function findTorch(wish) {
  if (wish === 'unwanted') return undefined;
  const torch = await startTorch();
  if (torch === undefined && wish === 'demanded') {
    throw new Error('--torch: PyTorch is not installed: run "npm run bench:peers -- --torch" first');
  }
  return torch;
}

/** The JSON, and beside it the tables and the chart. */
function write(file, report) {
  const stem = file.replace(/\.json$/, '');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(report, null, 1)}\n`);
  writeFileSync(`${stem}.md`, markdown(report));
  writeFileSync(`${stem}.svg`, chart(report));
  console.log(`\nwritten to ${file}, and beside it the tables (.md) and the chart (.svg)`);
}

async function main() {
  const args = process.argv.slice(2);
  const options = parseOptions(args);
  if (options.help) return void process.stdout.write(HELP);
  const cpu = qgemm.cpuInfo();
  const initialThreads = cpu.numThreads;
  const peak = peaks(cpu);
  const model = cpu.model || cpus()[0]?.model;
  console.log(
    `${model}, ${cpu.isa}, Node ${process.version}; peak loops: ${peak.instructions.int8 || 'none'}, ${peak.instructions.float32 || 'none'}`,
  );
  const torch = await findTorch(options.torch);
  try {
    const names = { ...(peerName && { onnxruntime: peerName }), ...(torch && { torch: torch.name }) };
    console.log(`peers: ${Object.values(names).join(', ') || 'none ("npm run bench:peers" installs them)'}`);
    await warmUp();
    const rows = await measureAll(options, peak, torch);
    const summaries = options.threads.flatMap((count) => summarize(rows, count));
    console.log(`\n${summaryLines(summaries).join('\n')}`);
    qgemm.setNumThreads(initialThreads);
    const calls = options.calls ? await measureCalls() : undefined;
    const neighbours = options.neighbours ? await measureNeighbours(peak, options.rounds) : undefined;
    const pauses = options.pauses ? measurePauses(options, initialThreads) : undefined;
    const date = new Date().toISOString();
    const report = {
      date,
      command: ['npm run bench --', ...args].join(' '),
      model,
      cpu,
      node: process.version,
      peers: names,
      instructions: peak.instructions,
      rows,
      summaries,
      calls,
      neighbours,
      pauses,
    };
    write(options.json ?? join(here, 'results', `${date.replaceAll(':', '-')}.json`), report);
  } finally {
    torch?.stop();
  }
}

main().catch((error) => {
  console.error(`bench: ${error.message}`);
  process.exitCode = 1;
});
