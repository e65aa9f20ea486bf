import { QgemmError } from '../../errors.js';
import { MAX_ONNX_DEPTH, MAX_ONNX_ITEMS, MAX_RANK } from '../limits.js';
import { readEntry, readTensorProto, typedData, type OnnxTensor } from './tensor-proto.js';
import { WIRE, type ProtoField, type ProtoReader, type Span } from './protobuf.js';

/** What the reader keeps of an attribute: numbers, a tensor. Subgraphs hang on the node. */
export interface OnnxAttribute {
  readonly int?: number;
  readonly float?: number;
  /** Absent where there are more than a tensor may have dimensions. */
  readonly ints?: readonly number[];
  /** A tensor; or the data of `value_float`, `value_floats`, `value_int`, `value_ints`. */
  readonly tensor?: OnnxTensor;
}

export interface OnnxNode {
  readonly field: ProtoField;
  /** `MatMul`; with the domain before it unless it is ONNX's own: `com.microsoft.QGemm`. */
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
  readonly graphs: readonly OnnxGraph[];
}

export interface OnnxGraph {
  /** Names the graph among others: empty for the main one. */
  readonly path: string;
  /** The fields that this graph is in, outermost first; the last one's value is the graph itself. */
  readonly enclosing: readonly ProtoField[];
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly { readonly tensor: OnnxTensor; readonly field: ProtoField }[];
  readonly inputs: readonly { readonly name: string; readonly field: ProtoField }[];
  readonly outputs: readonly string[];
}

export interface OnnxModel {
  readonly producer: ReadonlyMap<string, string>;
  /** Version of ONNX's own operators; 0 where the model names none. */
  readonly opset: number;
  readonly graph: OnnxGraph;
  readonly functions: readonly OnnxGraph[];
}

// Most nodes have none; a map for each would be most of the memory.
const NO_ATTRIBUTES: ReadonlyMap<string, OnnxAttribute> = new Map();
const NO_GRAPHS: readonly OnnxGraph[] = [];

/** ModelProto's own strings, by field. */
const PRODUCER: ReadonlyMap<number, string> = new Map([
  [2, 'onnx.producer_name'],
  [3, 'onnx.producer_version'],
  [4, 'onnx.domain'],
]);

/**
 * Reads the structure of an ONNX model (onnx.proto): graphs, nodes, and where the tensors lie. Unknown fields are skipped.
 *
 * @throws QgemmError FORMAT, LIMIT, DTYPE
 */
export function readOnnxModel(reader: ProtoReader, size: number): OnnxModel {
  return new ModelReader(reader).model({ start: 0, end: size });
}

class ModelReader {
  readonly #reader: ProtoReader;
  #items = 0;

  constructor(reader: ProtoReader) {
    this.#reader = reader;
  }

  model(span: Span): OnnxModel {
    const producer = new Map<string, string>();
    const functions: OnnxGraph[] = [];
    let graph: OnnxGraph | undefined;
    let opset = 0;
    for (const field of this.#reader.fields(span)) {
      const key = PRODUCER.get(field.number);
      if (key !== undefined) producer.set(key, this.#reader.text(field, key));
      else if (field.number === 7) {
        // Protobuf would merge them; no writer makes two, and readers disagree.
        if (graph !== undefined) this.#reader.fail(field.begin, 'the model has a second graph');
        graph = this.#graph(field, [], '');
      } else if (field.number === 8) opset = Math.max(opset, this.#opset(field));
      else if (field.number === 14) this.#metadata(field, producer);
      else if (field.number === 25) functions.push(this.#function(field));
    }
    if (graph === undefined) this.#reader.fail(span.end, 'the model has no graph');
    return { producer, opset, graph, functions };
  }

  #graph(field: ProtoField, outer: readonly ProtoField[], path: string): OnnxGraph {
    this.#reader.expect(field, WIRE.bytes, 'a graph');
    if (outer.length > 3 * MAX_ONNX_DEPTH) {
      throw new QgemmError('ERR_QGEMM_LIMIT', `an ONNX model must nest at most ${MAX_ONNX_DEPTH} graphs`);
    }
    const enclosing = [...outer, field];
    const nodes: OnnxNode[] = [];
    const initializers: { tensor: OnnxTensor; field: ProtoField }[] = [];
    const inputs: { name: string; field: ProtoField }[] = [];
    const outputs: string[] = [];
    for (const part of this.#reader.fields(field)) {
      if (part.number === 1) nodes.push(this.#node(part, enclosing, path, nodes.length));
      else if (part.number === 5) initializers.push({ tensor: this.#tensor(part), field: part });
      else if (part.number === 11) inputs.push({ name: this.#valueName(part), field: part });
      else if (part.number === 12) outputs.push(this.#valueName(part));
      else if (part.number === 15) this.#refuseSparse();
    }
    return { path, enclosing, nodes, initializers, inputs, outputs };
  }

  /** A function has nodes as a graph has, but no initializers. */
  #function(field: ProtoField): OnnxGraph {
    this.#reader.expect(field, WIRE.bytes, 'a function');
    const nodes: OnnxNode[] = [];
    const outputs: string[] = [];
    let path = '';
    for (const part of this.#reader.fields(field)) {
      if (part.number === 1) path = this.#reader.text(part, 'the name of a function');
      else if (part.number === 5) outputs.push(this.#reader.text(part, 'an output of a function'));
      else if (part.number === 7) nodes.push(this.#node(part, [field], path, nodes.length));
    }
    return { path, enclosing: [field], nodes, initializers: [], inputs: [], outputs };
  }

  #node(field: ProtoField, enclosing: readonly ProtoField[], path: string, index: number): OnnxNode {
    this.#count();
    this.#reader.expect(field, WIRE.bytes, 'a node');
    const inputs: string[] = [];
    const outputs: string[] = [];
    const fields: ProtoField[] = [];
    let name = '';
    let op = '';
    let domain = '';
    for (const part of this.#reader.fields(field)) {
      if (part.number === 1) inputs.push(this.#reader.text(part, 'an input of a node'));
      else if (part.number === 2) outputs.push(this.#reader.text(part, 'an output of a node'));
      else if (part.number === 3) name = this.#reader.text(part, 'the name of a node');
      else if (part.number === 4) op = this.#reader.text(part, 'the operator of a node');
      else if (part.number === 5) fields.push(part);
      else if (part.number === 7) domain = this.#reader.text(part, 'the domain of a node');
    }
    const qualified = domain === '' || domain === 'ai.onnx' ? op : `${domain}.${op}`;
    if (fields.length === 0) {
      return { field, op: qualified, name, inputs, outputs, attributes: NO_ATTRIBUTES, graphs: NO_GRAPHS };
    }
    const attributes = new Map<string, OnnxAttribute>();
    const graphs: OnnxGraph[] = [];
    const at = `${path}${path && '/'}${name || `${op}_${index}`}`;
    for (const part of fields) this.#attribute(part, [...enclosing, field], at, attributes, graphs);
    return { field, op: qualified, name, inputs, outputs, attributes, graphs };
  }

  #attribute(
    field: ProtoField,
    enclosing: readonly ProtoField[],
    path: string,
    attributes: Map<string, OnnxAttribute>,
    graphs: OnnxGraph[],
  ): void {
    this.#reader.expect(field, WIRE.bytes, 'an attribute');
    const reader = this.#reader;
    const many: { ints: ProtoField[]; floats: ProtoField[] } = { ints: [], floats: [] };
    const inner: ProtoField[] = [];
    let name = '';
    let value: OnnxAttribute | undefined;
    for (const part of reader.fields(field)) {
      if (part.number === 1) name = reader.text(part, 'the name of an attribute');
      else if (part.number === 2) {
        const float = reader.float32(part, 'f');
        value = { float, tensor: { name: '', dataType: 1, dims: [], data: typedData(reader, 4, [part]) } };
      } else if (part.number === 3) {
        reader.expect(part, WIRE.varint, 'i');
        value = { int: part.value, tensor: { name: '', dataType: 7, dims: [], data: typedData(reader, 7, [part]) } };
      } else if (part.number === 5) value = { tensor: this.#tensor(part) };
      else if (part.number === 6 || part.number === 11) inner.push(part);
      else if (part.number === 7) many.floats.push(part);
      else if (part.number === 8) many.ints.push(part);
      else if (part.number === 22 || part.number === 23) this.#refuseSparse();
    }
    for (const part of inner) graphs.push(this.#graph(part, [...enclosing, field], `${path}/${name}`));
    if (many.floats.length > 0) value = this.#floats(many.floats);
    if (many.ints.length > 0) value = this.#ints(many.ints);
    if (attributes.has(name)) reader.fail(field.begin, 'a node has an attribute twice');
    if (value !== undefined) attributes.set(name, value);
  }

  #floats(fields: readonly ProtoField[]): OnnxAttribute {
    const data = typedData(this.#reader, 4, fields);
    const bytes = fields.reduce((sum, { start, end }) => sum + end - start, 0);
    return { tensor: { name: '', dataType: 1, dims: [Math.floor(bytes / 4)], data } };
  }

  #ints(fields: readonly ProtoField[]): OnnxAttribute {
    const ints: number[] = [];
    let count = 0;
    for (const field of fields) {
      for (const value of this.#reader.int64s(field)) {
        if (++count <= MAX_RANK) ints.push(value);
      }
    }
    const tensor: OnnxTensor = { name: '', dataType: 7, dims: [count], data: typedData(this.#reader, 7, fields) };
    return count <= MAX_RANK ? { ints, tensor } : { tensor };
  }

  #tensor(field: ProtoField): OnnxTensor {
    this.#count();
    return readTensorProto(this.#reader, field);
  }

  #valueName(field: ProtoField): string {
    this.#reader.expect(field, WIRE.bytes, 'a value');
    let name = '';
    for (const part of this.#reader.fields(field)) {
      if (part.number === 1) name = this.#reader.text(part, 'the name of a value');
    }
    return name;
  }

  #opset(field: ProtoField): number {
    this.#reader.expect(field, WIRE.bytes, 'an operator set');
    let domain = '';
    let version = 0;
    for (const part of this.#reader.fields(field)) {
      if (part.number === 1) domain = this.#reader.text(part, 'the domain of an operator set');
      else if (part.number === 2) version = part.value;
    }
    return domain === '' || domain === 'ai.onnx' ? version : 0;
  }

  #metadata(field: ProtoField, metadata: Map<string, string>): void {
    const [key, value] = readEntry(this.#reader, field);
    metadata.set(`onnx.${key}`, value);
  }

  #refuseSparse(): never {
    throw new QgemmError('ERR_QGEMM_DTYPE', 'an ONNX model must hold dense tensors, but has a sparse one');
  }

  #count(): void {
    if (++this.#items > MAX_ONNX_ITEMS) {
      throw new QgemmError('ERR_QGEMM_LIMIT', `an ONNX model must have at most ${MAX_ONNX_ITEMS} nodes and tensors`);
    }
  }
}
