import { QgemmError } from '../../errors.js';
import { MAX_PICKLE_MEMORY } from '../limits.js';
import { PickleReader, pickleError } from './pickle-reader.js';
import { PickleGlobal, pickleKind, PickleTuple, type PickleValue } from './pickle-values.js';

/** What a pickle may refer to. */
export interface PickleRules {
  /** Names the pickle in errors. */
  readonly what: string;
  /** The allow-list: undefined for a name that is not on it. */
  find(module: string, name: string): PickleGlobal | undefined;
  /** What a persistent id stands for. */
  load(id: PickleValue): PickleValue;
}

/** Estimated bytes of a value, so that a small file cannot fill the memory. */
export const COST = {
  scalar: 8,
  item: 8,
  text: 32,
  memo: 64,
  container: 64,
  entry: 64,
  firstEntry: 200,
  made: 200,
} as const;

/** Stack, marks and memo of the unpickler. */
export class PickleMachine {
  readonly rules: PickleRules;
  readonly reader: PickleReader;
  readonly #memo = new Map<number, PickleValue>();
  readonly #outer: PickleValue[][] = [];
  #stack: PickleValue[] = [];
  #memory = 0;

  constructor(bytes: Uint8Array, position: number, rules: PickleRules) {
    this.rules = rules;
    this.reader = new PickleReader(rules.what, bytes, position);
  }

  push(value: PickleValue, cost: number): void {
    this.charge(cost);
    this.#stack.push(value);
  }

  pop(): PickleValue {
    const value = this.#stack.pop();
    if (value === undefined) throw this.error('takes a value from an empty stack');
    return value;
  }

  top(): PickleValue {
    const value = this.#stack.at(-1);
    if (value === undefined) throw this.error('uses the top of an empty stack');
    return value;
  }

  mark(): void {
    this.charge(COST.container);
    this.#outer.push(this.#stack);
    this.#stack = [];
  }

  /** The values since the last mark, which is removed. */
  popMark(): PickleValue[] {
    const values = this.#stack;
    const outer = this.#outer.pop();
    if (outer === undefined) throw this.error('uses a mark that it has not set');
    this.#stack = outer;
    return values;
  }

  /** Remembers the top of the stack, under the next free number where none is given. */
  memoize(index: number = this.#memo.size): void {
    this.charge(COST.memo);
    this.#memo.set(index, this.top());
  }

  recall(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.error(`uses the memo ${index}, which it has not set`);
    this.push(value, COST.scalar);
  }

  global(module: string, name: string): void {
    const global = this.rules.find(module, name);
    if (global === undefined) {
      const full = `${module}.${name}`;
      throw this.error(
        `must hold only tensors and plain values, but refers to ${full.length > 200 ? `${full.slice(0, 197)}...` : full}, which is not allowed`,
      );
    }
    this.push(global, COST.scalar);
  }

  call(callable: PickleValue, args: PickleValue): void {
    if (!(callable instanceof PickleGlobal) || callable.call === undefined) {
      throw this.error(`calls ${pickleKind(callable)}, which cannot be called`);
    }
    if (!(args instanceof PickleTuple)) throw this.error(`calls ${callable.name} with ${pickleKind(args)}`);
    this.push(
      callable.call(args.items, (bytes) => this.charge(bytes)),
      COST.made,
    );
  }

  charge(bytes: number): void {
    this.#memory += bytes;
    if (this.#memory > MAX_PICKLE_MEMORY) {
      throw new QgemmError(
        'ERR_QGEMM_LIMIT',
        `${this.rules.what} must make values of at most ${MAX_PICKLE_MEMORY} bytes, but makes more`,
      );
    }
  }

  error(problem: string): QgemmError {
    return pickleError(this.rules.what, `${problem} (byte ${this.reader.position})`);
  }
}
