import { checkOptions, checkPath, fail } from './check.js';
import { QgemmError, show } from './errors.js';
import { MappedFile } from './formats/mapping.js';
import { readPackedHeader, type PackedEntry, type PackedHeader } from './formats/packed/reader.js';
import { safetensorsTensor, type TensorEntry } from './formats/safetensors/header.js';
import { allocateFloat32 } from './formats/values.js';
import { Linear } from './linear.js';
import type { LinearOptions, OutputDType } from './linear-options.js';
import { copyTensor, type ModelTensor } from './model-tensor.js';
import { native } from './native.js';
import type { NativeWeights } from './native-types.js';
import { wrapWeights } from './packed-weights.js';
import { ACTIVATION_RANGES, SCHEMES } from './schemes.js';

/** Options of {@link loadModel}. */
export interface LoadOptions {
  /**
   * Map the file (default): its pages are shared by all processes that use it, and read when they are first needed. With
   * `false` it is read into private memory: slower and larger, but safe from whoever truncates the file meanwhile.
   */
  map?: boolean;
}

/** Options of {@link Model.linear}. */
export interface ModelLinearOptions<D extends OutputDType = OutputDType> extends Omit<LinearOptions<D>, 'bias'> {
  /** N values added to the product; null for none. Default: the bias that was converted with the weight, if any. */
  bias?: Float32Array | null;
}

/**
 * Opens a file that `convert` made. The weights are used where they lie in the file: nothing is parsed or copied, so that
 * it takes milliseconds for any size.
 *
 * A mapped file must not be truncated or written to while it is in use (replace it by renaming another over it): the
 * operating system would end the process. Windows does not replace a mapped file before `close()`.
 *
 * @throws QgemmError IO where the file cannot be read, FORMAT where it breaks the format or is not one of ours, LIMIT
 */
export function loadModel(path: string, options?: LoadOptions): Model {
  checkPath('path', path);
  const { map = true } = checkOptions<LoadOptions>('options', options, ['map']);
  if (typeof map !== 'boolean') fail('ERR_QGEMM_ARGUMENT', 'map', 'a boolean', map);
  const file = new MappedFile(path, map);
  try {
    return new Model(file, readPackedHeader(file));
  } catch (error) {
    file.close();
    throw error;
  }
}

/** A converted model: its layers ready to multiply by, its other tensors as copies. Made by {@link loadModel}. */
export class Model {
  readonly #file: MappedFile;
  readonly #header: PackedHeader;
  /** Layer names, and the tensor that each was packed from. */
  readonly #layers = new Map<string, string>();
  #closed = false;

  /** @internal */
  constructor(file: MappedFile, header: PackedHeader) {
    this.#file = file;
    this.#header = header;
    for (const name of header.weights.keys()) {
      const layer = name.endsWith('.weight') ? name.slice(0, -'.weight'.length) : name;
      // A model may have tensors "x" and "x.weight": then only the first can be called "x".
      this.#layers.set(header.weights.has(layer) ? name : layer, name);
    }
  }

  /** Names of the layers that {@link Model.linear} makes: those of the packed tensors without a final `.weight`. */
  get names(): string[] {
    this.#checkOpen();
    return [...this.#layers.keys()];
  }

  /** Names of all tensors of the model that was converted, packed ones and their biases too. */
  get tensorNames(): string[] {
    this.#checkOpen();
    const { weights, biases, kept } = this.#header;
    return [...weights.keys(), ...biases.keys(), ...kept.keys()];
  }

  /** Text that the converted file carried about itself. */
  get metadata(): Record<string, string> {
    this.#checkOpen();
    return Object.assign(Object.create(null), Object.fromEntries(this.#header.metadata)) as Record<string, string>;
  }

  /**
   * A layer y = activation(x . W^T + bias) on the weights in the file. It lives on after `close()`.
   *
   * @param name - a layer's name, or the name of the tensor it was packed from
   * @throws QgemmError ARGUMENT for an unknown name, and what `new Linear` throws
   */
  linear<D extends OutputDType = 'float32'>(name: string, options?: ModelLinearOptions<D>): Linear<D> {
    this.#checkOpen();
    const entry = this.#layer(name);
    const { bias = this.#bias(entry), ...rest } = options ?? {};
    const weights = wrapWeights(this.#weights(entry));
    try {
      return new Linear<D>(weights, { ...rest, ...(bias && { bias }) } as LinearOptions<D>);
    } finally {
      weights.dispose(); // the layer keeps what it needs
    }
  }

  /**
   * A copy of any tensor of the converted model by its name there. A packed weight comes back as float32 [N, K], as
   * accurate as its scheme; a bias as float32 [N]; everything else exactly.
   *
   * @throws QgemmError ARGUMENT for an unknown name
   */
  tensor(name: string): ModelTensor {
    this.#checkOpen();
    if (typeof name !== 'string') fail('ERR_QGEMM_ARGUMENT', 'name', 'a string', name);
    const { weights, biases, kept } = this.#header;
    const entry = kept.get(name);
    if (entry !== undefined) return copyTensor(safetensorsTensor(this.#file, name, entry));
    const packed = weights.get(name);
    if (packed !== undefined) return this.#dequantized(name, packed);
    const owner = weights.get(biases.get(name) ?? '');
    if (owner === undefined) throw this.#unknown('tensor', name, this.tensorNames);
    return { data: this.#bias(owner)!, shape: [owner.record.n], dtype: owner.record.bias!.dtype };
  }

  /** Lets go of the file. Layers that were made keep it; everything else throws DISPOSED from now on. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #layer(name: string): PackedEntry {
    if (typeof name !== 'string') fail('ERR_QGEMM_ARGUMENT', 'name', 'a string', name);
    const entry = this.#header.weights.get(this.#layers.get(name) ?? name);
    if (entry === undefined) throw this.#unknown('layer', name, this.names);
    return entry;
  }

  #weights({ record, parts }: PackedEntry): NativeWeights {
    const offset = (entry: TensorEntry | undefined): number | undefined => entry?.offset;
    const scales = offset(parts.get('scales'));
    const columnSums = offset(parts.get('column_sums'));
    const zeroPoints = offset(parts.get('zero_points'));
    return native.weightsFromMapping(
      this.#file.handle,
      SCHEMES.indexOf(record.scheme),
      record.n,
      record.k,
      ACTIVATION_RANGES.indexOf(record.activations),
      {
        panels: parts.get('panels')!.offset,
        ...(scales !== undefined && { scales }),
        ...(columnSums !== undefined && { columnSums }),
        ...(zeroPoints !== undefined && { zeroPoints }),
      },
    );
  }

  #bias({ record, parts }: PackedEntry): Float32Array | undefined {
    const entry = parts.get('bias');
    if (entry === undefined) return undefined;
    const bias = new Float32Array(record.n);
    this.#file.readInto(new Uint8Array(bias.buffer), entry.offset);
    return bias;
  }

  #dequantized(name: string, entry: PackedEntry): ModelTensor {
    const { n, k, source } = entry.record;
    const data = allocateFloat32(name, n * k);
    const weights = this.#weights(entry);
    native.weightsToFloat32(weights, data);
    native.weightsDispose(weights);
    return { data, shape: [n, k], dtype: source.dtype };
  }

  #unknown(what: string, name: string, names: string[]): QgemmError {
    const some = names.slice(0, 5).map(show).join(', ');
    const list = names.length > 5 ? `${some}, ... (${names.length} in all)` : some || 'none';
    return new QgemmError(
      'ERR_QGEMM_ARGUMENT',
      `name must be a ${what} of ${show(this.#file.path)}: ${list}; got ${show(name)}`,
    );
  }

  #checkOpen(): void {
    if (this.#closed)
      throw new QgemmError('ERR_QGEMM_DISPOSED', `the model ${show(this.#file.path)} must be open, but was closed`);
  }
}
