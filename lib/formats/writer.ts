import type { ActivationRange, WeightGranularity, WeightNumerics, WeightScheme } from '../schemes.js';
import type { MatmulWeight, ModelSource, SourceTensor } from './source.js';

/** How one weight is to be stored. */
export interface WeightRule {
  readonly scheme: WeightScheme;
  readonly granularity: WeightGranularity;
  readonly symmetric: boolean;
  readonly activations: ActivationRange;
  /** Whose formulas make scales and codes. */
  readonly numerics: WeightNumerics;
  /** Whether NaN and infinities are refused. */
  readonly rejectNonFinite: boolean;
}

/** A matmul weight that is to be stored in another way. */
export interface WeightStep {
  readonly tensor: SourceTensor;
  readonly weight: MatmulWeight;
  /** Of codes that are kept (`codesKept`): what they are, not what was asked for. */
  readonly rule: WeightRule;
  /** The tensor that is added to the product, where it is to be stored beside the weight. */
  readonly bias: SourceTensor | undefined;
  /** Whether the codes of `weight.quantized` go into the output as they are. */
  readonly codesKept: boolean;
}

/** A tensor that is written as it is. */
export interface KeepStep {
  readonly tensor: SourceTensor;
  /** Why a float matrix is kept; undefined where nothing else was to be expected. */
  readonly reason?: string;
}

/** What a conversion will do. Made before anything is written; knows no format. */
export interface Plan {
  readonly packed: readonly WeightStep[];
  readonly kept: readonly KeepStep[];
  /** Biases that belong to a weight, and the weight. */
  readonly biases: ReadonlyMap<string, string>;
}

/** Where a writer puts its bytes. */
export interface OutputSink {
  /** Appends. The bytes may be overwritten once the promise has resolved. Lets the event loop run, and stops on abort. */
  write(bytes: Uint8Array): Promise<void>;
}

/** A piece of an output file. */
export interface OutputStep {
  /** Unique within the file: a conversion that was killed goes on after the last step that was complete. */
  readonly name: string;
  /** Exactly what `write` will write: known before anything is read. */
  readonly byteLength: number;
  /** Tensors of the source that are done with this step: for progress. */
  readonly tensors: readonly SourceTensor[];
  /** Writes the same bytes whenever it is called. */
  write(sink: OutputSink): Promise<void>;
}

export interface OutputFile {
  /** Name inside the output folder, perhaps in a folder of its own (`a/b`); ignored by writers of one file. */
  readonly name: string;
  /** In the order of the file. */
  readonly steps: readonly OutputStep[];
}

export interface OutputLayout {
  readonly files: readonly OutputFile[];
  /**
   * Bytes in the output by name: of each packed weight (with its bias, where that lies beside it), of biases that are tensors
   * of their own, and of kept tensors that take other than their `byteLength`.
   */
  readonly weightBytes: ReadonlyMap<string, number>;
}

/** A format that models can be converted into: one line in the table of lib/convert/writers.ts. */
export interface ModelWriter {
  /** As `--format` names it. */
  readonly format: string;
  /** What weights may be stored as; the first is the default. */
  readonly schemes: readonly WeightScheme[];
  /** Whether the output is a folder of files rather than one file. */
  readonly folder: boolean;
  /**
   * Lays out the whole output; reads nothing but what it needs to know lengths.
   *
   * @throws QgemmError ARGUMENT where this format cannot hold what the plan says, FORMAT, LIMIT
   */
  layout(source: ModelSource, plan: Plan): OutputLayout;
}

/** A step whose bytes are at hand already. */
export function bytesStep(name: string, bytes: Uint8Array): OutputStep {
  return { name, byteLength: bytes.length, tensors: [], write: (sink) => sink.write(bytes) };
}
