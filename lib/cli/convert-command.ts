import { CommanderError, Option, type Command } from 'commander';
import { convert } from '../convert/convert.js';
import { checkConvertOptions, type ConvertOptions } from '../convert/options.js';
import type { ConvertReport } from '../convert/report.js';
import { WRITERS } from '../convert/writers.js';
import { QgemmError } from '../errors.js';
import { formatNames } from '../formats/formats.js';
import { ACTIVATION_RANGES, GRANULARITIES, WEIGHT_NUMERICS, WEIGHT_SCHEMES } from '../schemes.js';
import { decibels } from '../report/html.js';
import { Interrupted } from './errors.js';
import { progressView } from './progress.js';
import { checkReportPath, writeReport } from './report-file.js';
import { count, formatBytes, formatSeconds, formatTable, printable, toJson } from './text.js';

/** Flags that are options of `convert` under the same name. */
const PASSED_ON = [
  'format',
  'scheme',
  'granularity',
  'activations',
  'numerics',
  'requantize',
  'nonFinite',
  'include',
  'exclude',
  'recipe',
  'dryRun',
  'resume',
] as const;

interface Flags extends Pick<ConvertOptions, (typeof PASSED_ON)[number]> {
  output: string;
  asymmetric?: boolean;
  json?: boolean;
  quiet?: boolean;
  report?: string;
}

const collect = (value: string, list: string[] = []): string[] => [...list, value];

const EXAMPLES = `
Examples:
  qgemm convert model.safetensors -o model.q8.safetensors
  qgemm convert ./hugging-face-folder -o model.q8.safetensors --report report.html
  qgemm convert model.gguf -o model.q8.safetensors --exclude '*embed*' --dry-run`;

export function addConvert(program: Command): void {
  program
    .command('convert')
    .summary('convert a model')
    .description(
      `Converts the matmul weights of a model and keeps everything else. INPUT is ${formatNames()}, or a folder that ` +
        'holds one of these.',
    )
    .argument('<input>', 'model to convert')
    .requiredOption('-o, --output <file>', 'file to write; replaced at the very end where it exists')
    .addOption(
      new Option('--format <format>', 'what to write')
        .choices(WRITERS.map(({ format }) => format))
        .default(WRITERS[0].format),
    )
    .addOption(new Option('--scheme <scheme>', `how weights are stored (${schemeHelp()})`).choices(WEIGHT_SCHEMES))
    .addOption(
      new Option('--granularity <granularity>', 'what shares a scale').choices(GRANULARITIES).default('per-channel'),
    )
    .option('--asymmetric', 'weights with zero points')
    .addOption(
      new Option('--activations <range>', 'how activations are quantized')
        .choices(ACTIVATION_RANGES)
        .default('asymmetric'),
    )
    .addOption(
      new Option('--numerics <toolkit>', 'whose formulas make the codes (default: qgemm; ggml for q8_0)').choices(
        WEIGHT_NUMERICS,
      ),
    )
    .option('--requantize', 'quantize anew what the source holds in 8 bits already')
    .addOption(
      new Option('--non-finite <action>', 'what to do with NaN and infinities')
        .choices(['error', 'clip'])
        .default('error'),
    )
    .option('--include <glob>', 'quantize these tensors instead of those found by rule (repeatable)', collect)
    .option('--exclude <glob>', 'keep these tensors as they are (repeatable)', collect)
    .option('--recipe <file>', 'rules for single weights (JSON)')
    .option('--dry-run', 'print what would be written, and write nothing')
    .option('--resume', 'go on where a process that was killed has stopped')
    .option('--report <file>', 'compare with the input, and write a page (HTML) with the errors of all weights')
    .option('--json', 'report as JSON on standard output, progress as JSON lines on standard error')
    .option('--quiet', 'no progress')
    .addHelpText('after', EXAMPLES)
    .action(run);
}

function schemeHelp(): string {
  return WRITERS.map(({ format, schemes }) => `${format}: ${schemes.join(', ')}`).join('; ');
}

async function run(input: string, flags: Flags): Promise<void> {
  const options: ConvertOptions = {
    ...Object.fromEntries(PASSED_ON.filter((name) => flags[name] !== undefined).map((name) => [name, flags[name]])),
    symmetric: flags.asymmetric !== true,
    measure: flags.report !== undefined,
  };
  checkUsage(options);
  if (flags.report !== undefined) checkReportPath(flags.report, [input, flags.output]);
  const view = progressView(process.stderr, flags);
  const { signal, restore } = abortOnSignals();
  let report: ConvertReport;
  try {
    report = await convert(input, flags.output, {
      ...options,
      onProgress: (progress) => view.update(progress),
      signal,
    });
  } finally {
    view.end();
    restore();
  }
  if (flags.report !== undefined && report.errors !== undefined) writeReport(flags.report, report.errors);
  process.stdout.write(flags.json ? `${toJson(report)}\n` : flags.dryRun ? planTable(report) : summary(report));
}

/** Options that do not go together are wrong usage. What a recipe says is a matter of that file. */
function checkUsage(options: ConvertOptions): void {
  try {
    checkConvertOptions({ ...options, recipe: undefined });
  } catch (error) {
    if (!(error instanceof QgemmError)) throw error;
    throw new CommanderError(2, 'qgemm.usage', error.message);
  }
}

const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

/** The first signal stops the conversion in good order; a second one ends the process at once. */
function abortOnSignals(): { signal: AbortSignal; restore: () => void } {
  const controller = new AbortController();
  const names = Object.keys(SIGNALS) as (keyof typeof SIGNALS)[];
  const stop = (name: NodeJS.Signals): void => {
    const number = SIGNALS[name as keyof typeof SIGNALS];
    if (controller.signal.aborted) process.exit(128 + number);
    controller.abort(new Interrupted(name, number));
  };
  for (const name of names) process.on(name, stop);
  const restore = (): void => {
    for (const name of names) process.off(name, stop);
  };
  return { signal: controller.signal, restore };
}

function planTable({ tensors, bytesBefore, bytesAfter }: ConvertReport): string {
  const table = formatTable(tensors, [
    { title: 'action', value: ({ action }) => action },
    { title: 'shape', value: ({ dtype, shape }) => `${dtype} [${shape.join(', ')}]` },
    { title: 'before', value: (tensor) => formatBytes(tensor.bytesBefore), right: true },
    { title: 'after', value: (tensor) => formatBytes(tensor.bytesAfter), right: true },
    {
      title: 'stored as',
      value: ({ storedAs, codesKept, reason }) => (codesKept ? 'its own codes' : (storedAs ?? reason ?? '')),
    },
    { title: 'tensor', value: ({ name }) => printable(name) },
  ]);
  return `${table}\n\n${formatBytes(bytesBefore)} -> ${formatBytes(bytesAfter)}; nothing was written\n`;
}

function summary(report: ConvertReport): string {
  const { bytesBefore, bytesAfter, seconds, tensors } = report;
  const total = (action: string, key: 'bytesBefore' | 'bytesAfter'): number =>
    tensors.reduce((bytes, tensor) => bytes + (tensor.action === action ? tensor[key] : 0), 0);
  const packed = `${formatBytes(total('packed', 'bytesBefore'))} -> ${formatBytes(total('packed', 'bytesAfter'))}`;
  const codes = report.scheme === 'int8';
  const kind = codes ? `int8, ${report.granularity}, ${report.symmetric ? 'symmetric' : 'asymmetric'}` : report.scheme;
  const codesKept = tensors.filter((tensor) => tensor.codesKept).length;
  const lines = [
    `${printable(report.output)}: ${kind}`,
    `  ${count(report.packed, 'weight')} packed: ${packed}`,
    ...(codesKept > 0
      ? [`  ${codesKept} of them ${codesKept === 1 ? 'was' : 'were'} quantized already: codes kept`]
      : []),
    `  ${count(report.kept, 'tensor')} kept: ${formatBytes(total('kept', 'bytesAfter'))}`,
    `  ${formatBytes(bytesBefore)} -> ${formatBytes(bytesAfter)} in ${formatSeconds(seconds)} (${formatBytes(bytesBefore / seconds)}/s)`,
  ];
  for (const { name, reason } of tensors) if (reason !== undefined) lines.push(`  kept ${printable(name)}: ${reason}`);
  if (report.packed === 0) lines.push('  No matmul weight was found: --include names tensors to quantize.');
  const { errors } = report;
  if (errors !== undefined && errors.weights.length > 0) {
    lines.push(`  lowest SQNR ${decibels(errors.total.minSqnr)}, lowest cosine ${errors.total.minCosine.toFixed(7)}`);
  }
  return `${lines.join('\n')}\n`;
}
