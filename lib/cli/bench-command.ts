import type { Command } from 'commander';
import { cpuInfo } from '../cpu.js';
import { runBench, SHAPES, type BenchResult } from './bench.js';
import { formatTable, toJson } from './text.js';

export function addBench(program: Command): void {
  program
    .command('bench')
    .summary('measure this machine')
    .description(
      'Times Linear.forward with int8 and float32 weights on a few shapes, in interleaved rounds, and checks the results.',
    )
    .option('--quick', 'fewer shapes and rounds')
    .option('--json', 'as JSON')
    .action((flags: { quick?: boolean; json?: boolean }) => {
      const cpu = cpuInfo();
      const results = flags.quick ? runBench(SHAPES.slice(0, 1), 3) : runBench(SHAPES, 15);
      process.stdout.write(flags.json ? `${toJson({ cpu, results })}\n` : format(cpu, results));
    });
}

function format(cpu: ReturnType<typeof cpuInfo>, results: readonly BenchResult[]): string {
  const head = `${cpu.model || 'unknown CPU'}, ${cpu.isa}, ${cpu.numThreads} ${cpu.numThreads === 1 ? 'thread' : 'threads'}`;
  const table = formatTable(results, [
    { title: 'M', value: ({ m }) => String(m), right: true },
    { title: 'K', value: ({ k }) => String(k), right: true },
    { title: 'N', value: ({ n }) => String(n), right: true },
    { title: 'float32', value: ({ float32 }) => microseconds(float32.medianSeconds), right: true },
    { title: 'GFLOPS', value: ({ float32 }) => float32.gops.toFixed(0), right: true },
    { title: 'int8', value: ({ int8 }) => microseconds(int8.medianSeconds), right: true },
    { title: 'GOPS', value: ({ int8 }) => int8.gops.toFixed(0), right: true },
    { title: 'speed-up', value: ({ speedup }) => `${speedup.toFixed(2)}x`, right: true },
    { title: 'cosine', value: ({ cosine }) => cosine.toFixed(5), right: true },
  ]);
  return `${head}\nMedian times of one call; activations are quantized inside the int8 call.\n\n${table}\n`;
}

function microseconds(seconds: number): string {
  return `${(seconds * 1e6).toPrecision(4)} us`;
}
