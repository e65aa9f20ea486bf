import { QgemmError } from '../../errors.js';
import { MAX_PICKLE_MEMORY, MAX_PICKLE_STACK } from '../limits.js';
import { PickleReader, pickleError } from './pickle-reader.js';
import { isPickleTuple, PickleGlobal, pickleKind, type PickleValue } from './pickle-values.js';

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
  mark: 16,
  memo: 64,
  otherMemo: 200,
  container: 64,
  entry: 64,
  firstEntry: 200,
  made: 200,
} as const;

/** Stack, marks and memo of the unpickler. */
export class PickleMachine {
  readonly rules: PickleRules;
  readonly reader: PickleReader;
  /** Writers number memos from 0 on. These lie in an array; of other numbers, which may be any, a map. */
  readonly #memo: PickleValue[] = [];
  readonly #otherMemo = new Map<number, PickleValue>();
  readonly #stack: PickleValue[] = [];
  /** For each mark, where the values after it begin. */
  readonly #marks: number[] = [];
  /** The last of `#marks`, or 0: what lies below is out of reach until the mark is removed. */
  #floor = 0;
  #memory = 0;

  constructor(bytes: Uint8Array, position: number, rules: PickleRules) {
    this.rules = rules;
    this.reader = new PickleReader(rules.what, bytes, position);
  }

  push(value: PickleValue, cost: number): void {
    this.charge(cost);
    if (this.#stack.length === MAX_PICKLE_STACK) throw this.#tooHigh('values');
    this.#stack.push(value);
  }

  pop(): PickleValue {
    if (this.#stack.length === this.#floor) throw this.error('takes a value from an empty stack');
    return this.#stack.pop()!;
  }

  top(): PickleValue {
    if (this.#stack.length === this.#floor) throw this.error('uses the top of an empty stack');
    return this.#stack.at(-1)!;
  }

  mark(): void {
    this.charge(COST.mark);
    if (this.#marks.length === MAX_PICKLE_STACK) throw this.#tooHigh('marks');
    this.#floor = this.#stack.length;
    this.#marks.push(this.#floor);
  }

  /** The values since the last mark, which is removed. */
  popMark(): PickleValue[] {
    if (this.#marks.pop() === undefined) throw this.error('uses a mark that it has not set');
    const values = this.#stack.splice(this.#floor);
    this.#floor = this.#marks.at(-1) ?? 0;
    return values;
  }

  /** Remembers the top of the stack, under the next free number where none is given. */
  memoize(index: number = this.#memo.length + this.#otherMemo.size): void {
    const value = this.top();
    if (index < this.#memo.length || (index === this.#memo.length && !this.#otherMemo.has(index))) {
      this.charge(COST.memo);
      this.#memo[index] = value;
    } else {
      this.charge(COST.otherMemo);
      this.#otherMemo.set(index, value);
    }
  }

  recall(index: number): void {
    const value = index < this.#memo.length ? this.#memo[index] : this.#otherMemo.get(index);
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
    if (!isPickleTuple(args)) throw this.error(`calls ${callable.name} with ${pickleKind(args)}`);
    this.push(
      callable.call(args, (bytes) => this.charge(bytes)),
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
  #tooHigh(what: string): QgemmError {
    return new QgemmError(
      'ERR_QGEMM_LIMIT',
      `${this.rules.what} must have at most ${MAX_PICKLE_STACK} ${what} on its stack, but has more`,
    );
  }
}
