import { COST, type PickleMachine } from './pickle-machine.js';
import { PickleDict, pickleKind, PickleList, PickleOpaque, type PickleValue } from './pickle-values.js';

type Action = (machine: PickleMachine) => void;

export const STOP = 0x2e;

/** A larger integer is not a number of any checkpoint, and taking it apart is slow. */
const MAX_INTEGER_BYTES = 255;
const NEWEST_PROTOCOL = 5;

/**
 * The opcodes that are allowed: those that `torch.load(weights_only=True)` takes, and what protocols 3 to 5 write in their
 * place. Names and meanings: Python's `pickletools`.
 */
export const OPCODES: ReadonlyMap<number, Action> = new Map<number, Action>([
  [0x80, protocol],
  [0x95, (m) => void m.reader.uint64()], // FRAME: a hint for readers of streams
  [code('('), (m) => m.mark()],

  // Constants and numbers
  [code('N'), (m) => m.push(null, COST.scalar)],
  [0x88, (m) => m.push(true, COST.scalar)],
  [0x89, (m) => m.push(false, COST.scalar)],
  [code('J'), (m) => m.push(m.reader.int32(), COST.scalar)],
  [code('K'), (m) => m.push(m.reader.uint8(), COST.scalar)],
  [code('M'), (m) => m.push(m.reader.uint16(), COST.scalar)],
  [code('G'), (m) => m.push(m.reader.float64(), COST.text)],
  [0x8a, (m) => m.push(m.reader.long(m.reader.uint8()), COST.text)],
  [0x8b, longInteger],

  // Text and bytes: length, then content
  [code('X'), (m) => text(m, m.reader.uint32())],
  [0x8c, (m) => text(m, m.reader.uint8())],
  [0x8d, (m) => text(m, m.reader.uint64())],
  [code('U'), (m) => text(m, m.reader.uint8())], // strings of Python 2
  [code('T'), (m) => text(m, m.reader.uint32())],
  [code('B'), (m) => bytes(m, m.reader.uint32())],
  [code('C'), (m) => bytes(m, m.reader.uint8())],
  [0x8e, (m) => bytes(m, m.reader.uint64())],
  [0x96, (m) => bytes(m, m.reader.uint64())],

  // Tuples, lists, dicts, sets
  [code(')'), (m) => tuple(m, [])],
  [code('t'), (m) => tuple(m, m.popMark())],
  [0x85, (m) => tuple(m, [m.pop()])],
  [0x86, (m) => tuple(m, [m.pop(), m.pop()].reverse())],
  [0x87, (m) => tuple(m, [m.pop(), m.pop(), m.pop()].reverse())],
  [code(']'), (m) => m.push(new PickleList(), COST.container)],
  [0x8f, (m) => m.push(new PickleList(), COST.container)],
  [code('a'), (m) => append(m, [m.pop()])],
  [code('e'), (m) => append(m, m.popMark())],
  [0x90, (m) => append(m, m.popMark())],
  [0x91, frozenSet],
  [code('}'), (m) => m.push(new PickleDict(), COST.container)],
  [code('s'), (m) => setItems(m, [m.pop(), m.pop()].reverse())],
  [code('u'), (m) => setItems(m, m.popMark())],

  // Memo
  [code('q'), (m) => m.memoize(m.reader.uint8())],
  [code('r'), (m) => m.memoize(m.reader.uint32())],
  [0x94, (m) => m.memoize()],
  [code('h'), (m) => m.recall(m.reader.uint8())],
  [code('j'), (m) => m.recall(m.reader.uint32())],

  // Names, calls, objects
  [code('c'), (m) => m.global(m.reader.line(), m.reader.line())],
  [0x93, stackGlobal],
  [code('R'), call],
  [0x81, call], // NEWOBJ: cls.__new__(cls, *args); the allow-list knows what it makes
  [code('b'), build],
  [code('Q'), (m) => m.push(m.rules.load(m.pop()), COST.made)],
]);

function code(character: string): number {
  return character.charCodeAt(0);
}

function protocol(machine: PickleMachine): void {
  const version = machine.reader.uint8();
  if (version > NEWEST_PROTOCOL) throw machine.error(`must have a protocol up to ${NEWEST_PROTOCOL}, got ${version}`);
}

function longInteger(machine: PickleMachine): void {
  const length = machine.reader.int32();
  if (length < 0 || length > MAX_INTEGER_BYTES) throw machine.error(`has an integer of ${length} bytes`);
  machine.push(machine.reader.long(length), COST.text + length);
}

function text(machine: PickleMachine, length: number): void {
  machine.push(machine.reader.text(length), COST.text + 2 * length);
}

/** No checkpoint keeps in bytes what is read here. */
function bytes(machine: PickleMachine, length: number): void {
  machine.reader.bytes(length);
  machine.push(new PickleOpaque('bytes'), COST.container);
}

function tuple(machine: PickleMachine, items: PickleValue[]): void {
  machine.push(items, COST.container + COST.item * items.length);
}

function append(machine: PickleMachine, items: readonly PickleValue[]): void {
  const list = machine.top();
  if (!(list instanceof PickleList)) throw machine.error(`appends to ${pickleKind(list)}`);
  machine.charge(COST.item * items.length);
  for (const item of items) list.items.push(item);
}

function frozenSet(machine: PickleMachine): void {
  const list = new PickleList();
  const items = machine.popMark();
  machine.push(list, COST.container);
  machine.charge(COST.item * items.length);
  for (const item of items) list.items.push(item);
}

function setItems(machine: PickleMachine, items: readonly PickleValue[]): void {
  const dict = machine.top();
  if (!(dict instanceof PickleDict)) throw machine.error(`sets items of ${pickleKind(dict)}`);
  if (items.length % 2 !== 0) throw machine.error('sets an item without a value');
  if (items.length > 0 && dict.entries.size === 0) machine.charge(COST.firstEntry);
  machine.charge((COST.entry * items.length) / 2);
  for (let i = 0; i < items.length; i += 2) dict.set(items[i]!, items[i + 1]!);
}

function stackGlobal(machine: PickleMachine): void {
  const name = machine.pop();
  const module = machine.pop();
  if (typeof name !== 'string' || typeof module !== 'string') {
    throw machine.error(`refers to a name that is ${pickleKind(module)} and ${pickleKind(name)}`);
  }
  machine.global(module, name);
}

function call(machine: PickleMachine): void {
  const args = machine.pop();
  machine.call(machine.pop(), args);
}

/** Sets attributes of an object. None of them is looked at: only what calls made, and what dicts hold, has a meaning. */
function build(machine: PickleMachine): void {
  const state = machine.pop();
  const target = machine.top();
  if (typeof target !== 'object' || target === null) throw machine.error(`sets attributes of ${pickleKind(target)}`);
  if (typeof state !== 'object') throw machine.error(`sets attributes from ${pickleKind(state)}`);
}
