import { realpathSync, statSync } from 'node:fs';
import { checkPath } from '../check.js';
import { compareModels } from '../compare-models.js';
import { QgemmError, show } from '../errors.js';
import type { ModelSource } from '../formats/source.js';
import type { OutputLayout } from '../formats/writer.js';
import { openOriginal } from '../open-original.js';
import { AtomicOutput } from './atomic-output.js';
import { nodeFileSystem, type FileSystem } from './file-system.js';
import { conversionIdentity } from './journal.js';
import { checkConvertOptions, type ConvertOptions, type ConvertSettings } from './options.js';
import { planConversion } from './plan.js';
import { makeReport, type ConvertReport } from './report.js';
import { writeModel } from './stream.js';
import type { VerifyReport } from '../verify-report.js';
import { version } from '../version.js';

/**
 * Converts a model into a packed safetensors file that `loadModel` maps.
 *
 * Reads files of every format that docs/converting.md lists, indexes of several, or a folder that holds one of these.
 * Matmul weights are packed in the chosen scheme, everything else is kept byte for byte. The output appears complete or not
 * at all; it may be the input itself where that is a single file. Tensors are read one by one, and the event loop runs in
 * between.
 *
 * @param input path of a file or folder
 * @param output path of the file to write; one that exists is replaced at the very end
 * @throws QgemmError (as a rejection) ARGUMENT, IO, FORMAT, LIMIT, PATH, DTYPE; RANGE for weights that are not finite;
 * `signal.reason` when aborted
 */
export async function convert(input: string, output: string, options?: ConvertOptions): Promise<ConvertReport> {
  checkPath('input', input);
  checkPath('output', output);
  return convertWith(nodeFileSystem, input, output, checkConvertOptions(options));
}

/** `convert` with checked options, writing through the given calls. */
export async function convertWith(
  fileSystem: FileSystem,
  input: string,
  output: string,
  settings: ConvertSettings,
): Promise<ConvertReport> {
  settings.signal?.throwIfAborted();
  const started = performance.now();
  const { writer, resume } = settings;
  const source = openOriginal(input);
  try {
    checkOutput(source, output);
    const plan = planConversion(source, settings);
    const layout = writer.layout(source, plan);
    if (settings.dryRun) {
      const paths = { input, output, format: source.format };
      return makeReport(paths, settings, plan, layout, layoutBytes(layout), (performance.now() - started) / 1000);
    }
    const rules = plan.packed.map(({ rule, codesKept }) => ({ ...rule, codesKept }));
    const identity = conversionIdentity(source.files.map(fileIdentity), [version, writer.format, rules], layout);
    const file = await AtomicOutput.open(output, { folder: writer.folder, layout, identity, resume, fileSystem });
    try {
      await writeModel(file, layout, settings);
      const errors = settings.measure ? await measure(source, file, settings.signal) : undefined;
      // Windows does not replace a file that is open, and the output may be the input.
      source.close();
      await file.commit(settings.signal);
      const seconds = (performance.now() - started) / 1000;
      const paths = { input, output, format: source.format };
      const report = makeReport(paths, settings, plan, layout, file.size, seconds);
      return errors === undefined ? report : { ...report, errors: { ...errors, quantized: output } };
    } finally {
      file.abort();
    }
  } finally {
    source.close();
  }
}

/** While the source can still be read: the output may replace it. */
function measure(source: ModelSource, file: AtomicOutput, signal: AbortSignal | undefined): Promise<VerifyReport> {
  return compareModels(source, file.temporary, { histograms: true, ...(signal && { signal }) });
}

function layoutBytes({ files }: OutputLayout): number {
  return files.flatMap(({ steps }) => steps).reduce((bytes, { byteLength }) => bytes + byteLength, 0);
}

/** Changes when a file does. */
function fileIdentity(path: string): string {
  const { size, mtimeMs, ino } = statSync(path);
  return JSON.stringify([path, size, mtimeMs, ino]);
}

/** One file may be replaced by its conversion; one of several would leave the others useless. */
function checkOutput(source: ModelSource, output: string): void {
  if (source.files.length === 1) return;
  let path: string;
  try {
    path = realpathSync(output);
  } catch {
    return; // it does not exist yet
  }
  if (source.files.some((file) => realpathSync(file) === path)) {
    throw new QgemmError(
      'ERR_QGEMM_ARGUMENT',
      `output must not be one of the ${source.files.length} files of the input, got ${show(output)}`,
    );
  }
}
