import { QgemmError, show } from '../../errors.js';
import { MAX_PICKLE_DEPTH, MAX_PICKLE_VISITS, MAX_TENSORS } from '../limits.js';
import { isPickleTuple, PickleDict, pickleKind, PickleList, type PickleValue } from './pickle-values.js';
import { TorchTensor } from './values.js';

/** What a checkpoint holds, by name. */
export interface NamedValues {
  readonly tensors: ReadonlyMap<string, TorchTensor>;
  /** Strings and numbers beside the tensors: epoch, settings. */
  readonly texts: ReadonlyMap<string, string>;
}

/** Where training scripts keep the weights, beside the state of the optimizer and the like. */
const MODEL_KEYS = ['state_dict', 'model_state_dict', 'model', 'module', 'params'];

/** What torch's quantized layers keep as (weight, bias). */
const PACKED_PARAMS = /(^|\.)_packed_params\._packed_params$/;

/** Keys on the way to a tensor make its name. */
const MAX_KEY_LENGTH = 1000;

/** Texts are for people to read; settings are short. */
const MAX_TEXT_LENGTH = 1000;
const MAX_TEXTS = 1000;

/**
 * The tensors of a checkpoint. Names are the keys on the way to them, joined by dots. Where the outermost dict has no
 * tensors of its own but a dict of them under a usual key (`state_dict`, `model`, ...), the names begin there, and other
 * tensors (an optimizer's) are left out.
 *
 * @throws QgemmError FORMAT, LIMIT
 */
export function namedValues(what: string, root: PickleValue): NamedValues {
  const collector = new Collector(what);
  if (!(root instanceof PickleDict)) {
    collector.visit(root, []);
    return collector;
  }
  const hasTensors = [...root.entries.values()].some((value) => value instanceof TorchTensor);
  const key = hasTensors ? undefined : MODEL_KEYS.find((name) => holdsTensors(root.entries.get(name)));
  if (key === undefined) {
    collector.visit(root, []);
    return collector;
  }
  collector.visit(root.entries.get(key)!, []);
  const others = new Collector(what);
  const leftOut: string[] = [];
  for (const [name, value] of root.entries) {
    if (name === key || typeof name !== 'string') continue;
    const before = others.tensors.size;
    others.visit(value, [name]);
    others.addText([name], value);
    if (others.tensors.size > before) leftOut.push(name);
  }
  const texts = new Map([...collector.texts, ...others.texts]);
  if (leftOut.length > 0) texts.set('left_out', leftOut.join(', ').slice(0, MAX_TEXT_LENGTH));
  return { tensors: collector.tensors, texts };
}

function holdsTensors(value: PickleValue | undefined): boolean {
  return value instanceof PickleDict && [...value.entries.values()].some((item) => item instanceof TorchTensor);
}

class Collector implements NamedValues {
  readonly tensors = new Map<string, TorchTensor>();
  readonly texts = new Map<string, string>();
  readonly #what: string;
  #visits = 0;

  constructor(what: string) {
    this.#what = what;
  }

  visit(value: PickleValue, path: readonly string[]): void {
    if (++this.#visits > MAX_PICKLE_VISITS) {
      throw this.#limit(`hold at most ${MAX_PICKLE_VISITS} values, but holds more, or the same ones again and again`);
    }
    if (value instanceof TorchTensor) this.#addTensor(path, value);
    else if (value instanceof PickleDict) {
      for (const [key, item] of value.entries) {
        const inner = this.#inner(path, key);
        this.visit(item, inner);
        this.addText(inner, item);
      }
    } else if (isPickleTuple(value) && PACKED_PARAMS.test(path.join('.'))) {
      const layer = path.join('.').replace(PACKED_PARAMS, '');
      value.slice(0, 2).forEach((item, i) => this.visit(item, [...(layer ? [layer] : []), ['weight', 'bias'][i]!]));
    } else if (value instanceof PickleList) this.#visitAll(path, value.items);
    else if (isPickleTuple(value)) this.#visitAll(path, value);
  }

  addText(path: readonly string[], value: PickleValue): void {
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return;
    const text = String(value);
    if (text.length <= MAX_TEXT_LENGTH && this.texts.size < MAX_TEXTS) this.texts.set(path.join('.'), text);
  }

  #visitAll(path: readonly string[], items: readonly PickleValue[]): void {
    items.forEach((item, i) => this.visit(item, this.#inner(path, i)));
  }

  #inner(path: readonly string[], key: PickleValue): string[] {
    if (path.length >= MAX_PICKLE_DEPTH) {
      throw this.#limit(`nest at most ${MAX_PICKLE_DEPTH} dicts and lists, but nests more, or one in itself`);
    }
    const name = typeof key === 'string' ? key : pickleKind(key);
    if (name.length > MAX_KEY_LENGTH) throw this.#limit(`have keys of at most ${MAX_KEY_LENGTH} characters`);
    return [...path, name];
  }

  #addTensor(path: readonly string[], tensor: TorchTensor): void {
    const name = path.length === 0 ? 'tensor' : path.join('.');
    if (name === '__metadata__' || this.tensors.has(name)) {
      const problem = this.tensors.has(name) ? 'the name of two tensors' : 'not a name that a tensor can have';
      throw new QgemmError(
        'ERR_QGEMM_FORMAT',
        `${this.#what} must name every tensor once, but ${show(name)} is ${problem}`,
      );
    }
    this.tensors.set(name, tensor);
    if (this.tensors.size > MAX_TENSORS) throw this.#limit(`hold at most ${MAX_TENSORS} tensors`);
  }

  #limit(problem: string): QgemmError {
    return new QgemmError('ERR_QGEMM_LIMIT', `${this.#what} must ${problem}`);
  }
}
