import { compressedWriter } from '../formats/compressed-tensors/writer.js';
import { ggufWriter } from '../formats/gguf/writer.js';
import { onnxWriter } from '../formats/onnx/writer.js';
import { packedWriter } from '../formats/packed/writer.js';
import type { ModelWriter } from '../formats/writer.js';

/** Every format that models can be converted into: one line each. The first is the default. */
export const WRITERS: readonly [ModelWriter, ...ModelWriter[]] = [
  packedWriter,
  compressedWriter,
  ggufWriter,
  onnxWriter,
];

/** The writer that `--format` names. */
export function findWriter(format: string): ModelWriter | undefined {
  return WRITERS.find((writer) => writer.format === format);
}
