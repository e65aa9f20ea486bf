import { InvalidArgumentError, type Command } from 'commander';
import { cpuInfo, type CpuInfo } from '../cpu.js';
import { version } from '../version.js';
import { runBench, SHAPES, type BenchResult, type Shape } from './bench.js';
import { formatTable, toJson } from './text.js';

interface Flags {
  shapes?: Shape[];
  threads?: number[];
  rounds?: number;
  quick?: boolean;
  json?: boolean;
}

const MAX_THREADS = 1024;
const MAX_SIZE = 2 ** 20;

export function addBench(program: Command): void {
  program
    .command('bench')
    .summary('measure this machine')
    .description(
      'Times Linear.forward with int8 and float32 weights, in interleaved rounds, and checks the results. ' +
        'By default on one thread and on all.',
    )
    .option('--shapes <list>', 'sizes as MxKxN, for instance 1x768x3072,16x768x3072', parseShapes)
    .option('--threads <list>', 'numbers of threads, for instance 1,4', (text) =>
      text.split(',').map((item) => parseInteger(item, MAX_THREADS)),
    )
    .option('--rounds <n>', 'rounds (default: 15)', (text) => parseInteger(text, 1000))
    .option('--quick', 'one shape and 3 rounds, where nothing else is said')
    .option('--json', 'as JSON')
    .action((flags: Flags) => {
      const cpu = cpuInfo();
      const shapes = flags.shapes ?? (flags.quick ? SHAPES.slice(0, 1) : SHAPES);
      const progress = process.stderr.isTTY ? drawProgress(process.stderr, shapes.length) : undefined;
      const results = runBench({
        shapes,
        threads: flags.threads ?? [...new Set([1, cpu.numThreads])],
        rounds: flags.rounds ?? (flags.quick ? 3 : 15),
        ...(progress && { onShape: progress.update }),
      });
      progress?.end();
      const { node } = process.versions;
      const platform = `${process.platform} ${process.arch}`;
      process.stdout.write(
        flags.json ? `${toJson({ version, node, platform, cpu, results })}\n` : format(cpu, results),
      );
    });
}

function parseInteger(text: string, most: number): number {
  const value = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= most) return value;
  throw new InvalidArgumentError(`It must be an integer in [1, ${most}].`);
}

function parseShapes(text: string): Shape[] {
  return text.split(',').map((item) => {
    const sizes = item.split('x');
    if (sizes.length !== 3) throw new InvalidArgumentError('It must be a list of MxKxN.');
    const [m, k, n] = sizes.map((size) => parseInteger(size, MAX_SIZE)) as [number, number, number];
    return [m, k, n];
  });
}

function drawProgress(stream: NodeJS.WriteStream, total: number) {
  return {
    update: ([m, k, n]: Shape, index: number): void => {
      stream.write(`\r[${index + 1}/${total}] ${m}x${k}x${n}\u001b[K`);
    },
    end: (): void => {
      stream.write('\r\u001b[K');
    },
  };
}

/** Kernels of one operation in the instruction set that is used: the first of its kind is the best. */
function kernelsOf(cpu: CpuInfo, operation: string): string {
  const names = cpu.kernels.filter((name) => name.startsWith(`${operation}_`));
  const isa = names[0]?.split('_').at(-1) ?? '';
  return names.filter((name) => name.endsWith(`_${isa}`)).join(' ');
}

function format(cpu: CpuInfo, results: readonly BenchResult[]): string {
  const head = [
    `${cpu.model || 'unknown CPU'}, ${cpu.isa}; qgemm ${version}, Node ${process.version}, ${process.platform} ${process.arch}`,
    `int8 kernels:    ${kernelsOf(cpu, 'gemm_u8s8f32')}`,
    `float32 kernels: ${kernelsOf(cpu, 'gemm_f32')}`,
    'Median times of one call; activations are quantized inside the int8 call. GB/s: int8 weights per second.',
  ].join('\n');
  const table = formatTable(results, [
    { title: 'threads', value: ({ threads }) => String(threads), right: true },
    { title: 'M', value: ({ m }) => String(m), right: true },
    { title: 'K', value: ({ k }) => String(k), right: true },
    { title: 'N', value: ({ n }) => String(n), right: true },
    { title: 'float32', value: ({ float32 }) => microseconds(float32.medianSeconds), right: true },
    { title: 'GFLOPS', value: ({ float32 }) => float32.gops.toFixed(0), right: true },
    { title: 'int8', value: ({ int8 }) => microseconds(int8.medianSeconds), right: true },
    { title: 'GOPS', value: ({ int8 }) => int8.gops.toFixed(0), right: true },
    { title: 'GB/s', value: ({ int8, k, n }) => ((k * n) / int8.medianSeconds / 1e9).toFixed(1), right: true },
    { title: 'speed-up', value: ({ speedup }) => `${speedup.toFixed(2)}x`, right: true },
    { title: 'scaling', value: ({ scaling }) => `${scaling.toFixed(2)}x`, right: true },
    { title: 'cosine', value: ({ cosine }) => cosine.toFixed(5), right: true },
  ]);
  return `${head}\n\n${table}\n`;
}

function microseconds(seconds: number): string {
  return `${(seconds * 1e6).toPrecision(4)} us`;
}
