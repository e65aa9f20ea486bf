import { QgemmError, show } from '../errors.js';
import { quantize } from '../quantize.js';
import type { Numerics } from '../quantization-range.js';
import type { WeightGranularity } from '../schemes.js';
import { isFloat } from './dtypes.js';
import { CHUNK_BYTES, MAX_ONNX_BYTES } from './limits.js';
import { encodeInitializer, encodeNode, ONNX_FLOAT, ONNX_INT8 } from './onnx-encode.js';
import type { OnnxConstant, OnnxScope } from './onnx-graph.js';
import { storedTensor } from './onnx-tensor.js';
import type { OnnxDocument, OnnxSource } from './onnx.js';
import { chunkBytes, editMessage, totalLength, type Chunk, type ProtoEdit } from './protobuf-edit.js';
import type { MatmulWeight, SourceTensor } from './source.js';
import { readFloat32 } from './values.js';

/** How a weight is quantized. */
export interface OnnxWeightSettings {
  readonly granularity: WeightGranularity;
  readonly symmetric: boolean;
  readonly numerics: Numerics;
  readonly nonFinite: 'error' | 'clip';
}

/** An ONNX model that is ready to be written. */
export interface OnnxOutput {
  readonly byteLength: number;
  /** The file, in pieces; each weight is read and quantized when its turn comes. */
  bytes(): Generator<Uint8Array, void>;
}

/**
 * The model that `source` was read from, with weights as DequantizeLinear of int8 initializers: W becomes `W_quantized`,
 * `W_scale` (and `W_zero_point`), and a node that gives them the name W again. All other bytes of the graph stay, except
 * that external data move into the file: the output depends on no other.
 *
 * @param weights names of float weights of the model, and how each is quantized
 * @throws QgemmError FORMAT where the model's operators are too old for DequantizeLinear; LIMIT beyond 2 GiB, which no
 * protobuf message may have; from `bytes`, RANGE for a weight that is not finite
 */
export function planOnnx(source: OnnxSource, weights: ReadonlyMap<string, OnnxWeightSettings>): OnnxOutput {
  const { document } = source;
  const edits = new Map<OnnxScope, GraphEdits>();
  const editsOf = (scope: OnnxScope): GraphEdits => {
    let found = edits.get(scope);
    if (found === undefined) edits.set(scope, (found = new GraphEdits(scope)));
    return found;
  };
  const names = new UniqueNames(document.scopes);
  for (const scope of document.scopes) {
    for (const constant of scope.constants.values()) {
      const settings = weights.get(constant.name);
      if (settings !== undefined) {
        checkOpset(source, settings);
        quantizeConstant(editsOf(scope), constant, weightOf(source, constant), settings, names);
      } else if (constant.tensor.data.kind === 'external') {
        const data = storedTensor(constant.name, constant.tensor, document.file, document.external);
        const chunk: Chunk = { length: data.length, produce: () => pieces(data, data.length) };
        const { dataType, dims } = constant.tensor;
        editsOf(scope).replace(constant, encodeInitializer(constant.value, dataType, dims, chunk), []);
      }
    }
  }
  const chunks = editMessage(
    { start: 0, end: document.file.size },
    [...edits.values()].flatMap((graph) => graph.edits()),
  );
  const byteLength = totalLength(chunks);
  if (byteLength > MAX_ONNX_BYTES) {
    throw new QgemmError(
      'ERR_QGEMM_LIMIT',
      `an ONNX model must have at most ${MAX_ONNX_BYTES} bytes to be written as one file, got ${byteLength}`,
    );
  }
  return { byteLength, bytes: () => chunkBytes(chunks, document.file) };
}

/**
 * Why a weight cannot be written with DequantizeLinear, undefined when it can: only float initializers and constants of
 * graphs are; functions hold no initializers.
 */
export function onnxObstacle({ document, tensors, matmuls }: OnnxSource, name: string): string | undefined {
  const weight = matmuls.get(name);
  if (weight?.quantized !== undefined) return 'it is in 8-bit codes already';
  const constant = findConstant(document, name);
  const tensor = tensors.get(name);
  if (constant === undefined || tensor === undefined) return 'it is not in the model';
  if (!isFloat(tensor.dtype)) return `it is ${tensor.dtype}`;
  const inGraph = constant.scope.parent !== undefined || constant.scope === document.scopes[0];
  return inGraph ? undefined : 'it is in a function';
}

function findConstant({ scopes }: OnnxDocument, name: string): OnnxConstant | undefined {
  for (const { constants } of scopes) {
    for (const constant of constants.values()) if (constant.name === name) return constant;
  }
  return undefined;
}

interface Weight {
  readonly tensor: SourceTensor;
  readonly weight: MatmulWeight;
}

function weightOf(source: OnnxSource, { name }: OnnxConstant): Weight {
  const obstacle = onnxObstacle(source, name);
  const weight = source.asMatmul(name);
  if (obstacle !== undefined || weight === undefined) {
    throw new QgemmError(
      'ERR_QGEMM_ARGUMENT',
      `ONNX tensor ${show(name)} must be a float matrix of a graph: ${obstacle ?? 'it is no matrix'}`,
    );
  }
  return { tensor: source.tensors.get(name)!, weight };
}

/** DequantizeLinear came with version 10, its scales for each channel with version 13. */
function checkOpset({ path, document }: OnnxSource, { granularity }: OnnxWeightSettings): void {
  const needed = granularity === 'per-channel' ? 13 : 10;
  if (document.opset >= needed) return;
  throw new QgemmError(
    'ERR_QGEMM_FORMAT',
    `${show(path)} must have operators of version ${needed} or later for ${granularity} DequantizeLinear, has version ${document.opset}`,
  );
}

function quantizeConstant(
  edits: GraphEdits,
  constant: OnnxConstant,
  { tensor, weight }: Weight,
  settings: OnnxWeightSettings,
  names: UniqueNames,
): void {
  const { value } = constant;
  const { granularity, symmetric, numerics, nonFinite } = settings;
  const perChannel = granularity === 'per-channel';
  const axis = weight.layout === 'nk' ? 0 : 1;
  const run = once(() => {
    const values = readFloat32(tensor);
    const options = {
      dtype: 'int8',
      symmetric,
      granularity,
      numerics,
      nonFinite,
      ...(perChannel && { axis }),
    } as const;
    return quantize(values, tensor.shape, options);
  });
  const count = perChannel ? weight.n : 1;
  const dims = perChannel ? [count] : [];
  const [codes, scale, zeroPoint] = ['quantized', 'scale', 'zero_point'].map((part) => names.take(`${value}_${part}`));
  const initializers = [
    ...encodeInitializer(
      codes!,
      ONNX_INT8,
      tensor.shape,
      made(weight.n * weight.k, () => run().data),
    ),
    ...encodeInitializer(
      scale!,
      ONNX_FLOAT,
      dims,
      made(count * 4, () => run().scales),
    ),
    ...(symmetric
      ? []
      : encodeInitializer(
          zeroPoint!,
          ONNX_INT8,
          dims,
          made(count, () => Int8Array.from(run().zeroPoints)),
        )),
  ];
  const inputs = symmetric ? [codes!, scale!] : [codes!, scale!, zeroPoint!];
  const isFloat32 = tensor.dtype === 'F32';
  const output = isFloat32 ? value : names.take(`${value}_dequantized`);
  const nodes = encodeNode('DequantizeLinear', inputs, output, perChannel ? ['axis', axis] : undefined);
  // DequantizeLinear gives the type of its scale, which stays float32.
  const casts = isFloat32 ? [] : encodeNode('Cast', [output], value, ['to', constant.tensor.dataType]);
  edits.replace(constant, initializers, [...nodes, ...casts]);
}

/** What changes in one graph. */
class GraphEdits {
  readonly #scope: OnnxScope;
  readonly #edits: ProtoEdit[] = [];
  readonly #first: Chunk[] = [];
  readonly #last: Chunk[] = [];

  constructor(scope: OnnxScope) {
    this.#scope = scope;
  }

  /** Replaces a constant by initializers, and by nodes that make of them what has its name. */
  replace({ field, isNode, value }: OnnxConstant, initializers: readonly Chunk[], nodes: readonly Chunk[]): void {
    if (isNode) {
      this.#edit(field.begin, field.end, nodes);
      this.#last.push(...initializers);
      return;
    }
    this.#edit(field.begin, field.end, initializers);
    if (nodes.length === 0) return;
    // Nodes are in the order of their execution.
    this.#first.push(...nodes);
    // Older models list initializers among the inputs too; what a node gives is none.
    for (const input of this.#scope.graph.inputs) {
      if (input.name === value) this.#edit(input.field.begin, input.field.end, []);
    }
  }

  edits(): ProtoEdit[] {
    const { nodes, enclosing } = this.#scope.graph;
    const graph = enclosing.at(-1)!;
    const start = nodes[0]?.field.begin ?? graph.start;
    const edits = [...this.#edits];
    if (this.#first.length > 0) edits.push({ start, end: start, enclosing, chunks: this.#first });
    if (this.#last.length > 0) edits.push({ start: graph.end, end: graph.end, enclosing, chunks: this.#last });
    return edits;
  }

  #edit(start: number, end: number, chunks: readonly Chunk[]): void {
    this.#edits.push({ start, end, enclosing: this.#scope.graph.enclosing, chunks });
  }
}

/** Names of values that no graph of the model has: graphs inside others see theirs. */
class UniqueNames {
  readonly #taken = new Set<string>();

  constructor(scopes: readonly OnnxScope[]) {
    for (const { constants, producers, inputs } of scopes) {
      for (const names of [constants.keys(), producers.keys(), inputs]) for (const name of names) this.#taken.add(name);
    }
  }

  take(wanted: string): string {
    let name = wanted;
    for (let i = 1; this.#taken.has(name); ++i) name = `${wanted}_${i}`;
    this.#taken.add(name);
    return name;
  }
}

/** Runs once for the chunks of one weight. They are asked for one after another: only the last result is kept. */
function once<T>(run: () => T): () => T {
  let result: { value: T } | undefined;
  return () => (result ??= { value: run() }).value;
}

function made(length: number, make: () => ArrayBufferView): Chunk {
  return {
    length,
    produce: () => {
      const view = make();
      return [new Uint8Array(view.buffer, view.byteOffset, view.byteLength)];
    },
  };
}

function* pieces(
  data: { readInto(target: Uint8Array, position: number): void },
  length: number,
): Generator<Uint8Array> {
  for (let position = 0; position < length; position += CHUNK_BYTES) {
    const piece = new Uint8Array(Math.min(CHUNK_BYTES, length - position));
    data.readInto(piece, position);
    yield piece;
  }
}
