// Reads what objdump prints (GNU binutils, x86-64 in AT&T syntax or arm64): functions, whom they call, and their loops.
import { execFileSync } from 'node:child_process';

/** Functions of an object file as {name, lines: [{address, mnemonic, operands}], calls: names}. */
export function disassemble(objdump, object) {
  return parseDisassembly(
    execFileSync(objdump, ['-d', '-r', '-C', '--no-show-raw-insn', object], { encoding: 'utf8', maxBuffer: 1 << 28 }),
  );
}

/** The same from the text that objdump printed. */
export function parseDisassembly(text) {
  const functions = new Map();
  let current;
  for (const line of text.split('\n')) {
    const label = /^[0-9a-f]+ <(.*)>:$/.exec(line);
    if (label) {
      current = { name: label[1], lines: [] };
      functions.set(current.name, current);
      continue;
    }
    if (!current) continue;
    // What the linker will put into the instruction above, whose target objdump shows as if it were known: often the first
    // function of the object.
    const relocation = /^\s+[0-9a-f]+: R_\w+\s+(.*?)(?:[+-]0x[0-9a-f]+)?$/.exec(line)?.[1];
    const last = current.lines.at(-1);
    if (relocation && last) last.relocation = relocation;
    const instruction = /^\s*([0-9a-f]+):\s+(?:\{\w+\} )?(\S+)\s*(.*)$/.exec(line);
    if (relocation || !instruction) continue;
    const [, address, mnemonic] = instruction;
    const operands = instruction[3].replace(/\s*\/\/.*$/, ''); // objdump explains some on Arm
    current.lines.push({ address: parseInt(address, 16), mnemonic, operands });
  }
  for (const each of functions.values()) each.calls = callees(each);
  return functions;
}

const isJump = (mnemonic) => /^(j[a-z]+|b|b\..+|cbn?z|tbn?z)$/.test(mnemonic);
const isCall = (mnemonic) => /^(call.*|bl|blr)$/.test(mnemonic);

/** Functions that a function calls. A jump into another one is a call at its end; other instructions take addresses only. */
function callees({ name, lines }) {
  const targets = lines
    .filter(({ mnemonic }) => isJump(mnemonic) || isCall(mnemonic))
    .map(({ operands, relocation }) => relocation ?? /<(.*?)(?:\+0x[0-9a-f]+)?>$/.exec(operands)?.[1]);
  return new Set(targets.filter((target) => target !== undefined && target !== name));
}

/**
 * Innermost loops: what lies between a jump backwards and its target, with no other such pair inside and no call. In one
 * with multiplications of tiles, loops without them do not count: there the vector units finish another tile meanwhile.
 */
export function innermostLoops({ name, lines }) {
  const index = new Map(lines.map(({ address }, i) => [address, i]));
  const pairs = [];
  lines.forEach(({ address, mnemonic, operands, relocation }, end) => {
    if (!isJump(mnemonic) || relocation) return;
    const target = /(?:^|\s)([0-9a-f]+) <(.*?)(?:\+0x[0-9a-f]+)?>$/.exec(operands);
    if (!target || target[2] !== name) return;
    const to = parseInt(target[1], 16);
    if (to <= address && index.has(to)) pairs.push([index.get(to), end]);
  });
  const hasTiles = ([a, b]) => lines.slice(a, b + 1).some(({ mnemonic }) => mnemonic.startsWith('tdpb'));
  const counts = (inner, outer) => !hasTiles(outer) || hasTiles(inner);
  return pairs
    .filter(([a, b]) => !pairs.some(([c, d]) => (c !== a || d !== b) && c >= a && d <= b && counts([c, d], [a, b])))
    .map(([a, b]) => lines.slice(a, b + 1))
    .filter((loop) => !loop.some(({ mnemonic }) => isCall(mnemonic)));
}
