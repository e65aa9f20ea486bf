import { checkOptions, checkPath, fail } from './check.js';
import { compareModels } from './compare-models.js';
import { openOriginal } from './open-original.js';
import type { VerifyReport } from './verify-report.js';

/** Options of {@link verify}. */
export interface VerifyOptions {
  /** Whether every weight comes with histograms of its values and of its errors. Default false. */
  histograms?: boolean;
}

/**
 * Compares a converted model with the model that it was made from: the error of every weight that is stored in another way,
 * and whether everything else is there byte for byte. The converted model may be in any format that can be read. Tensors
 * are read piece by piece: memory is bounded whatever their size.
 *
 * @param original path of the model that was converted
 * @param quantized path of what `convert` made
 * @throws QgemmError (as a rejection) ARGUMENT, IO, FORMAT, LIMIT, PATH, DTYPE
 */
export async function verify(original: string, quantized: string, options?: VerifyOptions): Promise<VerifyReport> {
  checkPath('original', original);
  checkPath('quantized', quantized);
  const { histograms = false } = checkOptions<VerifyOptions>('options', options, ['histograms']);
  if (typeof histograms !== 'boolean') fail('ERR_QGEMM_ARGUMENT', 'histograms', 'a boolean', histograms);
  const source = openOriginal(original);
  try {
    return await compareModels(source, quantized, { histograms });
  } finally {
    source.close();
  }
}
