// The command line of the benchmark.
import { parseArgs } from 'node:util';

const ROWS = [1, 4, 16, 64, 128, 512];
const WEIGHTS = [
  [384, 384],
  [384, 1536],
  [768, 768],
  [768, 3072],
  [3072, 768],
  [1024, 4096],
  [4096, 4096],
  [4096, 11008],
];

export const HELP = `Usage: npm run bench -- [options]

Compares Linear.forward in int8 and float32 with the limits of the machine and with other libraries, in interleaved
rounds, with every result checked. Times are for one call, K by N weights, M rows. "npm run bench:peers" installs
onnxruntime-node, "npm run bench:peers -- --torch" PyTorch too; what is installed takes part. Writes the results as
JSON, the tables as Markdown, and a chart as SVG.

  --shapes MxKxN[,...]   these shapes only, for instance 1x768x3072,16x768x3072
  --rows M[,...]         these numbers of rows with all weights, for instance 2,3,5,7,8,12,15
  --threads N[,...]      numbers of threads (default: 1,2)
  --rounds N             rounds per shape (default: 15, fewer where a round takes long)
  --layers N             N matrices of each size, multiplied in turn, as a model's layers are: together they may be
                         larger than the caches (default: 1)
  --quick                M in 1, 16, 128 and three weights, 5 rounds, one thread
  --no-calls             leave out the tiny calls and the event-loop gap
  --neighbours           also latency beside one busy process on each core
  --pauses               also latency with other work of 10, 50 and 200 µs before each call
  --torch, --no-torch    PyTorch must take part, or must not
  --json FILE            where to write the results (default: bench/results/<time>.json); .md and .svg go beside it
  --help
`;

function positiveInteger(option, text) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${option} must be a positive integer, got "${text}"`);
  return value;
}

function parseShapes(text) {
  return text.split(',').map((shape) => {
    const sizes = shape.split('x').map((size) => positiveInteger('--shapes', size));
    if (sizes.length !== 3) throw new Error(`--shapes must be a list of MxKxN, got "${shape}"`);
    return sizes;
  });
}

const grid = (rows, weights) => weights.flatMap(([k, n]) => rows.map((m) => [m, k, n]));

/** Returns {shapes: [m, k, n][], threads, rounds, layers, calls, neighbours, pauses, torch, json} or {help: true}. Throws an Error with one sentence. */
export function parseOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      shapes: { type: 'string' },
      rows: { type: 'string' },
      threads: { type: 'string' },
      rounds: { type: 'string' },
      layers: { type: 'string', default: '1' },
      quick: { type: 'boolean', default: false },
      'no-calls': { type: 'boolean', default: false },
      neighbours: { type: 'boolean', default: false },
      pauses: { type: 'boolean', default: false },
      torch: { type: 'boolean', default: false },
      'no-torch': { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return { help: true };
  const list = (option, text) => text.split(',').map((item) => positiveInteger(option, item));
  const quick = { rows: [1, 16, 128], weights: [WEIGHTS[0], WEIGHTS[3], WEIGHTS[6]] };
  const { rows, weights } = values.quick ? quick : { rows: ROWS, weights: WEIGHTS };
  return {
    shapes: values.shapes
      ? parseShapes(values.shapes)
      : grid(values.rows ? list('--rows', values.rows) : rows, weights),
    threads: list('--threads', values.threads ?? (values.quick ? '1' : '1,2')),
    rounds: positiveInteger('--rounds', values.rounds ?? (values.quick ? '5' : '15')),
    layers: positiveInteger('--layers', values.layers),
    calls: !values['no-calls'],
    neighbours: values.neighbours,
    pauses: values.pauses,
    torch: values.torch ? 'demanded' : values['no-torch'] ? 'unwanted' : 'optional',
    json: values.json,
  };
}
