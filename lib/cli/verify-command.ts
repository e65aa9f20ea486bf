import type { Command } from 'commander';
import { QgemmError, show } from '../errors.js';
import { verify } from '../verify.js';
import type { VerifiedWeight, VerifyReport } from '../verify-report.js';
import { checkReportPath, writeReport } from './report-file.js';
import { count, formatBytes, formatTable, printable, toJson } from './text.js';

export function addVerify(program: Command): void {
  program
    .command('verify')
    .summary('compare a converted file with its original')
    .description(
      'Prints the error of every converted weight, worst first, and checks that everything else is there byte for byte.',
    )
    .argument('<original>', 'model that was converted')
    .argument('<quantized>', 'what "qgemm convert" made, in any format')
    .option('--json', 'as JSON')
    .option('--report <file>', 'write a page (HTML) with the errors and histograms of all weights')
    .action(async (original: string, quantized: string, flags: { json?: boolean; report?: string }) => {
      if (flags.report !== undefined) checkReportPath(flags.report, [original, quantized]);
      const report = await verify(original, quantized, { histograms: flags.report !== undefined });
      if (flags.report !== undefined) writeReport(flags.report, report);
      process.stdout.write(flags.json ? `${toJson(report)}\n` : format(report));
      const first = report.mismatches[0];
      if (first !== undefined) {
        const others = report.mismatches.length > 1 ? ` (and ${report.mismatches.length - 1} more)` : '';
        throw new QgemmError(
          'ERR_QGEMM_FORMAT',
          `${show(quantized)} must hold the tensors of the original, but ${show(first.name)}: ${first.problem}${others}`,
        );
      }
    });
}

function format(report: VerifyReport): string {
  const { weights, total, kept, mismatches } = report;
  const sections = [
    formatTable(weights, [
      { title: 'shape', value: ({ n, k }) => `[${n}, ${k}]` },
      { title: 'stored as', value: ({ scheme }) => scheme },
      { title: 'SQNR', value: ({ sqnr }) => decibels(sqnr), right: true },
      { title: 'cosine', value: ({ cosine }) => cosine.toFixed(7), right: true },
      { title: 'max error', value: ({ maxError }) => maxError.toPrecision(3), right: true },
      { title: 'before', value: ({ bytesBefore }) => formatBytes(bytesBefore), right: true },
      { title: 'after', value: ({ bytesAfter }) => formatBytes(bytesAfter), right: true },
      { title: 'ratio', value: ratio, right: true },
      { title: 'weight', value: ({ name }) => printable(name) },
    ]),
    [
      `${count(weights.length, 'converted weight')}: ${formatBytes(total.bytesBefore)} -> ${formatBytes(total.bytesAfter)}`,
      ...(weights.length > 0
        ? [
            `worst: SQNR ${decibels(total.minSqnr)}, cosine ${total.minCosine.toFixed(7)}, max error ${total.maxError.toPrecision(3)}`,
          ]
        : []),
      `${count(kept, 'kept tensor')} ${kept === 1 ? 'is' : 'are'} equal byte for byte; ${count(mismatches.length, 'tensor')} ${mismatches.length === 1 ? 'is not as it should be' : 'are not as they should be'}`,
      ...mismatches.map(({ name, problem }) => `  ${printable(name)}: ${problem}`),
      `model: ${formatBytes(report.bytesBefore)} -> ${formatBytes(report.bytesAfter)}`,
    ].join('\n'),
  ];
  return `${sections.join('\n\n')}\n`;
}

function decibels(value: number): string {
  return value === Infinity ? 'exact' : `${value.toFixed(2)} dB`;
}

function ratio({ bytesBefore, bytesAfter }: VerifiedWeight): string {
  return `${(bytesBefore / bytesAfter).toFixed(2)}x`;
}
