import { QgemmError, show } from '../../errors.js';
import type { OnnxGraph, OnnxModel, OnnxNode } from './proto.js';
import type { OnnxTensor } from './tensor-proto.js';
import type { ProtoField } from './protobuf.js';

/** A tensor that the model holds: an initializer, or what a Constant node gives. */
export interface OnnxConstant {
  /** Unique in the model: the name of the value, after its graph's where another graph has the same. */
  readonly name: string;
  /** What nodes of its graph call it. */
  readonly value: string;
  readonly tensor: OnnxTensor;
  readonly scope: OnnxScope;
  /** The field of the initializer or of the Constant node. */
  readonly field: ProtoField;
  readonly isNode: boolean;
}

/** A graph with the names that are known in it. Graphs in graphs see those of the outer ones too. */
export interface OnnxScope {
  readonly graph: OnnxGraph;
  readonly parent: OnnxScope | undefined;
  readonly constants: Map<string, OnnxConstant>;
  readonly producers: Map<string, OnnxNode>;
  readonly inputs: Set<string>;
  /** Who uses a value of this graph, in this graph and in those inside. */
  readonly consumers: Map<string, { node: OnnxNode; scope: OnnxScope }[]>;
  /** Values of this graph that are an output, of this graph or of one inside. */
  readonly outputs: Set<string>;
}

/** A value by the graph that defines it. */
export interface OnnxValue {
  readonly scope: OnnxScope;
  readonly name: string;
  readonly constant: OnnxConstant | undefined;
  readonly node: OnnxNode | undefined;
}

/**
 * All graphs of a model, outer ones before those inside.
 *
 * @throws QgemmError FORMAT where a graph has two tensors of one name
 */
export function onnxScopes(model: OnnxModel): OnnxScope[] {
  const scopes: OnnxScope[] = [];
  const names = new Set<string>();
  const add = (graph: OnnxGraph, parent: OnnxScope | undefined): void => {
    const scope = newScope(graph, parent);
    scopes.push(scope);
    addConstants(scope, names);
    for (const node of graph.nodes) for (const inner of node.graphs) add(inner, scope);
  };
  add(model.graph, undefined);
  for (const graph of model.functions) add(graph, undefined);
  for (const scope of scopes) addUses(scope);
  return scopes;
}

/** The graph that defines a value as seen from another, and how. */
export function findValue(from: OnnxScope, name: string): OnnxValue | undefined {
  for (let scope: OnnxScope | undefined = from; scope !== undefined; scope = scope.parent) {
    const constant = scope.constants.get(name);
    const node = constant === undefined ? scope.producers.get(name) : undefined;
    if (constant !== undefined || node !== undefined || scope.inputs.has(name)) return { scope, name, constant, node };
  }
  return undefined;
}

function newScope(graph: OnnxGraph, parent: OnnxScope | undefined): OnnxScope {
  const producers = new Map<string, OnnxNode>();
  for (const node of graph.nodes) for (const output of node.outputs) if (output !== '') producers.set(output, node);
  const inputs = new Set(graph.inputs.map(({ name }) => name));
  return { graph, parent, constants: new Map(), producers, inputs, consumers: new Map(), outputs: new Set() };
}

function addConstants(scope: OnnxScope, names: Set<string>): void {
  for (const { tensor, field } of scope.graph.initializers) {
    addConstant(scope, names, tensor.name, tensor, field, false);
  }
  for (const { op, field, outputs, attributes } of scope.graph.nodes) {
    if (op !== 'Constant' || outputs.length !== 1) continue;
    // A Constant has one attribute; text (value_string, value_strings) is no tensor.
    for (const { tensor } of attributes.values()) {
      if (tensor !== undefined) addConstant(scope, names, outputs[0]!, tensor, field, true);
    }
  }
}

function addConstant(
  scope: OnnxScope,
  names: Set<string>,
  value: string,
  tensor: OnnxTensor,
  field: ProtoField,
  isNode: boolean,
): void {
  const { path } = scope.graph;
  if (value === '' || scope.constants.has(value)) {
    const problem = value === '' ? 'one without a name' : `${show(value)} twice`;
    throw new QgemmError(
      'ERR_QGEMM_FORMAT',
      `ONNX graph ${show(path)} must name every tensor once, but has ${problem}`,
    );
  }
  const name = names.has(value) ? `${path}/${value}` : value;
  if (names.has(name)) {
    throw new QgemmError('ERR_QGEMM_FORMAT', `two ONNX graphs must not have the same tensor ${show(name)}`);
  }
  names.add(name);
  scope.constants.set(value, { name, value, tensor, scope, field, isNode });
}

function addUses(scope: OnnxScope): void {
  for (const node of scope.graph.nodes) {
    for (const input of new Set(node.inputs)) {
      const value = input === '' ? undefined : findValue(scope, input);
      if (value === undefined) continue;
      const consumers = value.scope.consumers.get(input);
      if (consumers === undefined) value.scope.consumers.set(input, [{ node, scope }]);
      else consumers.push({ node, scope });
    }
  }
  for (const output of scope.graph.outputs) findValue(scope, output)?.scope.outputs.add(output);
}
