import { QgemmError } from '../../errors.js';
import { dtypeBytes, elementsOf } from '../dtypes.js';
import { MAX_VIEW_BYTES, MAX_VIEW_RATIO } from '../limits.js';
import type { PickleValue } from './pickle-values.js';
import { namedValues, type NamedValues } from './names.js';
import { torchTensors, type StorageBytes, type TorchTensors } from './tensors.js';
import type { TorchLayout, TorchTensor } from './values.js';

/** What one checkpoint file holds. */
export interface TorchCheckpoint extends TorchTensors {
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * The tensors of an unpickled checkpoint.
 *
 * @param what names the file in errors
 * @param fileBytes its size
 * @throws QgemmError FORMAT, LIMIT
 */
export function checkpointOf(
  what: string,
  fileBytes: number,
  root: PickleValue,
  bytesOf: StorageBytes,
): TorchCheckpoint {
  const { tensors, texts } = namedValues(what, root);
  checkSize(what, fileBytes, tensors);
  return {
    ...torchTensors(what, tensors, bytesOf),
    metadata: new Map([...texts].map(([key, text]) => [`pytorch.${key}`, text])),
  };
}

function checkSize(what: string, fileBytes: number, tensors: NamedValues['tensors']): void {
  const limit = Math.max(MAX_VIEW_BYTES, MAX_VIEW_RATIO * fileBytes);
  let bytes = 0;
  for (const tensor of tensors.values()) {
    for (const { shape, type } of layoutsOf(tensor)) bytes += dtypeBytes(type.dtype, elementsOf(shape)) ?? 0;
    // Quantized tensors are presented as float32.
    if (tensor.quantizer !== undefined) bytes += 4 * elementsOf(tensor.layout.shape);
  }
  if (bytes > limit) {
    throw new QgemmError(
      'ERR_QGEMM_LIMIT',
      `${what} must have tensors of at most ${limit} bytes for its ${fileBytes} bytes, but its views have ${bytes}`,
    );
  }
}

function layoutsOf({ layout, quantizer }: TorchTensor): TorchLayout[] {
  if (quantizer === undefined || !('axis' in quantizer)) return [layout];
  return [layout, quantizer.scales.layout, quantizer.zeroPoints.layout];
}
