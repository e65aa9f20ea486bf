import type { Command } from 'commander';
import { inspect, type InspectReport, type InspectedTensor, type InspectedWeight } from '../inspect.js';
import { count, formatBytes, formatTable, printable, toJson } from './text.js';

export function addInspect(program: Command): void {
  program
    .command('inspect')
    .summary('list and validate what a model holds')
    .description(
      'Lists tensors, shapes, dtypes, sizes and metadata of a model or of a converted file, and validates all of it.',
    )
    .argument('<file>', 'model, folder or converted file')
    .option('--json', 'as JSON')
    .action((path: string, flags: { json?: boolean }) => {
      const report = inspect(path);
      process.stdout.write(flags.json ? `${toJson(report)}\n` : format(report));
    });
}

function format(report: InspectReport): string {
  const { path, format, files, tensors, weights, bytes, metadata } = report;
  const head = `${printable(path)}: ${format}, ${count(files.length, 'file')}, ${count(tensors.length, 'tensor')}, ${formatBytes(bytes)}`;
  const sections = [head, tensorTable(tensors)];
  if (weights.length > 0) sections.push(count(weights.length, 'packed weight'), weightTable(weights));
  const shown = [...metadata].filter(([key]) => !key.startsWith('qgemm.weight.'));
  if (shown.length > 0)
    sections.push(
      'metadata',
      shown.map(([key, value]) => `${printable(key)}: ${printable(value.slice(0, 200))}`).join('\n'),
    );
  return `${sections.join('\n\n')}\n`;
}

function tensorTable(tensors: readonly InspectedTensor[]): string {
  return formatTable(tensors, [
    { title: 'dtype', value: ({ dtype, storedAs }) => (storedAs === undefined ? dtype : `${dtype} (${storedAs})`) },
    { title: 'shape', value: ({ shape }) => `[${shape.join(', ')}]` },
    { title: 'size', value: ({ bytes }) => formatBytes(bytes), right: true },
    {
      title: 'matmul',
      value: ({ matmul }) =>
        matmul === undefined ? '' : `N ${matmul.n}, K ${matmul.k}${matmul.layout === 'kn' ? ', stored [K, N]' : ''}`,
    },
    { title: 'tensor', value: ({ name }) => printable(name) },
  ]);
}

function weightTable(weights: readonly InspectedWeight[]): string {
  return formatTable(weights, [
    {
      title: 'scheme',
      value: ({ scheme, granularity, symmetric }) =>
        scheme === 'float32' ? scheme : `${scheme} ${granularity}${symmetric ? '' : ' asymmetric'}`,
    },
    { title: 'N', value: ({ n }) => String(n), right: true },
    { title: 'K', value: ({ k }) => String(k), right: true },
    { title: 'size', value: ({ bytes }) => formatBytes(bytes), right: true },
    { title: 'weight', value: ({ name }) => printable(name) },
    { title: 'bias', value: ({ bias }) => printable(bias?.name ?? '') },
  ]);
}
