import { CHUNK_BYTES } from '../formats/limits.js';
import type { SourceTensor } from '../formats/source.js';
import type { OutputLayout, OutputSink, OutputStep } from '../formats/writer.js';
import type { AtomicOutput } from './atomic-output.js';
import type { ConvertSettings } from './options.js';

/** Writes a laid out model, step by step. Between pieces the event loop runs. Steps that were complete are passed over. */
export async function writeModel(output: AtomicOutput, layout: OutputLayout, settings: ConvertSettings): Promise<void> {
  const { signal } = settings;
  const progress = progressOf(layout, settings);
  let written = 0;
  const sink: OutputSink = {
    async write(bytes): Promise<void> {
      for (let position = 0; position < bytes.length; position += CHUNK_BYTES) {
        signal?.throwIfAborted();
        await output.write(bytes.subarray(position, position + CHUNK_BYTES));
      }
      written += bytes.length;
    },
  };
  for (const [index, { steps }] of layout.files.entries()) {
    await output.beginFile(index);
    for (const [number, step] of steps.entries()) {
      signal?.throwIfAborted();
      if (!output.skip(number)) {
        written = 0;
        await step.write(sink);
        checkWritten(step, written);
        await output.endStep(number);
      }
      for (const tensor of step.tensors) await progress(tensor);
    }
  }
}

function checkWritten({ name, byteLength }: OutputStep, written: number): void {
  if (written !== byteLength) throw new Error(`${name}: ${written} bytes were written, ${byteLength} planned`);
}

function progressOf(layout: OutputLayout, { onProgress }: ConvertSettings): (tensor: SourceTensor) => unknown {
  if (onProgress === undefined) return () => undefined;
  const tensors = layout.files.flatMap(({ steps }) => steps.flatMap((step) => step.tensors));
  const bytesTotal = tensors.reduce((bytes, tensor) => bytes + tensor.byteLength, 0);
  let tensorsDone = 0;
  let bytesDone = 0;
  return (tensor) => {
    tensorsDone += 1;
    bytesDone += tensor.byteLength;
    return onProgress({ tensor: tensor.name, tensorsDone, tensorsTotal: tensors.length, bytesDone, bytesTotal });
  };
}
