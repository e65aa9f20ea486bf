import { PickleMachine, type PickleRules } from './pickle-machine.js';
import { OPCODES, STOP } from './pickle-opcodes.js';
import type { PickleValue } from './pickle-values.js';

export interface Unpickled {
  readonly value: PickleValue;
  /** The byte after the pickle. */
  readonly end: number;
}

/**
 * A restricted unpickler: a stack machine that knows the opcodes which checkpoints are made of, the names on an allow-list,
 * and nothing else. It makes inert values and executes nothing.
 *
 * @throws QgemmError PICKLE for an opcode or a name that is not allowed and for a damaged pickle, LIMIT
 */
export function unpickle(bytes: Uint8Array, position: number, rules: PickleRules): Unpickled {
  const machine = new PickleMachine(bytes, position, rules);
  for (;;) {
    const opcode = machine.reader.uint8();
    if (opcode === STOP) return { value: machine.pop(), end: machine.reader.position };
    const action = OPCODES.get(opcode);
    if (action === undefined) {
      throw machine.error(`must not use the opcode 0x${opcode.toString(16).padStart(2, '0')}`);
    }
    action(machine);
  }
}
