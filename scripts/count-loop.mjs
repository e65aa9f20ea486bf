// Counts what the instructions of a loop do: multiplications, loads, moves between registers, stores to the stack.

const bits = (operands) => (operands.includes('%zmm') ? 512 : operands.includes('%ymm') ? 256 : 128);

/** Instructions that multiply, and the multiply-adds of one; the first of a list that a loop has is the one that counts. */
const MULTIPLIES = {
  int8: [
    [/^tdpb/, () => 16 * 16 * 64],
    [/^vpdpbusds?$/, (operands) => bits(operands) / 8],
    // With vpmaddubsw, vpmaddwd only adds its pairs.
    [/^v?pmaddubsw$/, (operands) => bits(operands) / 8],
    [/^v?pmaddwd$/, (operands) => bits(operands) / 16],
    [/^v?pmullw$/, (operands) => bits(operands) / 16],
    [/^(us|s|u)mmla$/, () => 32],
    [/^(us|su|s|u)dot$/, (operands) => (operands.includes('.4s') ? 16 : 8)],
    [/^[su]m(ull|lal)2?$/, (operands) => (/^v\d+\.8h/.test(operands) ? 8 : 4)],
    [/^ml[as]$|^mul$/, (operands) => (/^v\d+\.4s/.test(operands) ? 4 : 8)],
  ],
  float32: [
    [/^vdpbf16ps$/, (operands) => bits(operands) / 16],
    [/^vfmadd\d+ps$/, (operands) => bits(operands) / 32],
    [/^v?mulpd$/, (operands) => bits(operands) / 64],
    [/^v?mulsd$/, () => 1],
    [/^fmla$/, (operands) => (operands.includes('.4s') ? 4 : 2)],
    [/^fmul$/, (operands) => (operands.includes('.2d') ? 2 : 1)],
  ],
};

/** Where a multiplication leaves its sum: the last operand in AT&T syntax, the first on Arm. */
const destination = (operands) =>
  operands.startsWith('v') || operands.startsWith('d') ? operands.split(/[.,]/)[0] : operands.split(',').at(-1);

const isArm = (lines) => lines.some(({ operands }) => /^[vqxw]\d+\b/.test(operands));

const x86 = {
  // lea and prefetches address memory without loading from it; the last operand is written to.
  load: ({ mnemonic, operands }) =>
    /\(%r/.test(operands) &&
    !/^(lea|prefetch|nop)/.test(mnemonic) &&
    !(/^v?mov/.test(mnemonic) && /\)$/.test(operands)),
  // Two vector registers and no memory.
  move: ({ mnemonic, operands }) =>
    /^v?mov(dq[au]|[au]p[sd])/.test(mnemonic) && /^%[xyz]mm\d+,%[xyz]mm\d+$/.test(operands),
  // At a fixed place of the frame: arrays are indexed, spilled registers are not.
  store: /^%\w+,(?:-?0x[0-9a-f]+)?\(%(\w+)\)$/,
  frame: ['rsp', 'rbp'],
};
const arm = {
  load: ({ mnemonic }) => /^ld/.test(mnemonic),
  move: ({ mnemonic, operands }) =>
    /^(mov|orr)$/.test(mnemonic) && /^v\d+\.16b, v\d+\.16b(?:, v\d+\.16b)?$/.test(operands),
  store: /\[(sp|x29)(?:, #-?\d+)?\]!?$/,
  frame: ['sp', 'x29'],
};

/**
 * One turn of the loop: {instruction, instructions, multiplies, multiplyAdds, sums, loads, moves, stackStores}. `precision`
 * ('int8' or 'float32') says what counts as a multiplication. `framePointer`: whether the function keeps one, rather than
 * use its register for anything.
 */
export function countLoop(lines, precision, framePointer) {
  const is = isArm(lines) ? arm : x86;
  const [pattern, size] = MULTIPLIES[precision].find(([each]) => lines.some(({ mnemonic }) => each.test(mnemonic))) ?? [
    /^$/,
    () => 0,
  ];
  const multiplies = lines.filter(({ mnemonic }) => pattern.test(mnemonic));
  const count = (test) => lines.filter(test).length;
  const width = /%[xyz]mm/.exec(multiplies[0]?.operands ?? '')?.[0].slice(1);
  return {
    instruction: [multiplies[0]?.mnemonic, width].filter(Boolean).join(' '),
    instructions: lines.length,
    multiplies: multiplies.length,
    multiplyAdds: multiplies.reduce((sum, { operands }) => sum + size(operands), 0),
    sums: new Set(multiplies.map(({ operands }) => destination(operands))).size,
    loads: count(is.load),
    moves: count(is.move),
    stackStores: count(({ mnemonic, operands }) => {
      const base = /^(v?mov|st)/.test(mnemonic) && is.store.exec(operands)?.[1];
      return base === is.frame[0] || (framePointer && base === is.frame[1]);
    }),
  };
}
