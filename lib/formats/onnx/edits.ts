import type { OnnxConstant, OnnxScope } from './graph.js';
import type { Chunk, ProtoEdit } from './protobuf-edit.js';

/** What changes in one graph. */
export class GraphEdits {
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

/** Names for new values. No graph of the model has them, since graphs see the names of those around them. */
export class UniqueNames {
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
