import { describe, expect, it } from 'vitest';
import { countLoop } from '../scripts/count-loop.mjs';
import { innermostLoops, parseDisassembly } from '../scripts/disassembly.mjs';

// As objdump -d -C --no-show-raw-insn prints them.
const X86 = `
0000000000000000 <qgemm::(anonymous namespace)::Tile<2, 1>::run(Args const*)>:
   0:\tmov    %rsp,%rbp
   3:\tvpxor  %xmm5,%xmm5,%xmm5
   8:\tvpbroadcastd (%rax),%zmm0
   e:\tvmovdqa64 0x40(%rdx,%rcx,1),%zmm1
  16:\tvpdpbusd %zmm1,%zmm0,%zmm4
  1c:\tvpdpbusd (%rdx),%zmm0,%zmm5
  22:\tvmovdqa64 %zmm4,%zmm6
  28:\tvmovdqa64 %zmm6,-0x80(%rbp)
  2f:\tvmovdqu64 %zmm6,(%rdi,%rax,4)
  36:\tprefetcht0 0x400(%rdx)
  3d:\tcmp    %rdx,%rsi
  40:\tjne    8 <qgemm::(anonymous namespace)::Tile<2, 1>::run(Args const*)+0x8>
  42:\tdec    %r8
  45:\tjne    3 <qgemm::(anonymous namespace)::Tile<2, 1>::run(Args const*)+0x3>
  47:\tret

0000000000000050 <qgemm::gemm_u8s8f32_2x32c4_avx512vnni(Args const*)>:
  50:\tjmp    0 <qgemm::(anonymous namespace)::Tile<2, 1>::run(Args const*)>
`;
const ARM = `
0000000000000000 <tile>:
   0:\tldr\tq1, [x2], #16
   4:\tldr\tq0, [x3, #32]
   8:\tsdot\tv2.4s, v1.16b, v0.4b[0]
   c:\tsdot\tv3.4s, v1.16b, v0.4b[1]
  10:\tmov\tv4.16b, v2.16b
  14:\tstr\tq3, [sp, #80]
  18:\tstp\tq2, q3, [x29, #16]
  1c:\tstr\tq3, [x5, #16]
  20:\tb.ne\t0 <tile>  // b.any
`;

// A function that calls memcpy, takes an address and ends in a jump to another object: objdump -r says so below each.
const RELOCATED = `
0000000000000000 <first>:
   0:\tsdot\tv2.4s, v1.16b, v0.4b[0]
   4:\tbl\t0 <memcpy>
\t\t\t4: R_AARCH64_CALL26\tmemcpy
   8:\tb\t0 <first>
\t\t\t8: R_AARCH64_JUMP26\tqgemm::elsewhere(Args const*)
000000000000000c <second>:
   c:\tadrp\tx9, 0 <first>
\t\t\tc: R_AARCH64_ADR_PREL_PG_HI21\t.rodata+0xa
  10:\tbl\t0 <first>
\t\t\t10: R_AARCH64_CALL26\tmemcpy
  14:\tret
`;

// The matrix unit multiplies; a loop inside makes results of another tile meanwhile.
const TILES = `
0000000000000000 <tiles>:
   0:	tileloaddt1 (%rax,%rbx,1),%tmm6
   6:	tdpbusd %tmm6,%tmm4,%tmm0
   c:	vmovups %zmm0,(%rcx)
  12:	jne    c <tiles+0xc>
  18:	jne    0 <tiles>
  1e:	ret
`;

const onlyLoop = (text: string, name: string) => {
  const loops = innermostLoops(parseDisassembly(text).get(name)!);
  expect(loops).toHaveLength(1);
  return loops[0]!;
};

describe('npm run inspect:kernels', () => {
  const tile = 'qgemm::(anonymous namespace)::Tile<2, 1>::run(Args const*)';

  it('finds the innermost loop and who calls it', () => {
    const functions = parseDisassembly(X86);
    expect([...functions.get('qgemm::gemm_u8s8f32_2x32c4_avx512vnni(Args const*)')!.calls]).toEqual([tile]);
    const loop = onlyLoop(X86, tile);
    expect(loop[0]).toEqual({ address: 8, mnemonic: 'vpbroadcastd', operands: '(%rax),%zmm0' });
    expect(loop.at(-1)!.address).toBe(0x40);
  });

  it('takes a loop that multiplies tiles with the loops inside it', () => {
    const loops = innermostLoops(parseDisassembly(TILES).get('tiles')!);
    expect(loops).toHaveLength(2);
    const loop = loops.find((each: { mnemonic: string }[]) => each.some(({ mnemonic }) => mnemonic === 'tdpbusd'))!;
    expect([loop[0]!.address, loop.at(-1)!.address]).toEqual([0, 0x18]);
    expect(countLoop(loop, 'int8', false)).toMatchObject({ instruction: 'tdpbusd', instructions: 5, multiplies: 1 });
  });

  it('believes relocations, not the targets that objdump prints for them', () => {
    const functions = parseDisassembly(RELOCATED);
    const first = functions.get('first')!;
    expect(first.lines.map(({ address }: { address: number }) => address)).toEqual([0, 4, 8]);
    expect(innermostLoops(first)).toEqual([]);
    expect([...first.calls]).toEqual(['memcpy', 'qgemm::elsewhere(Args const*)']);
    expect([...functions.get('second')!.calls]).toEqual(['memcpy']);
  });

  it('counts x86 instructions: an indexed store is an array, a prefetch no load', () => {
    expect(countLoop(onlyLoop(X86, tile), 'int8', true)).toEqual({
      instruction: 'vpdpbusd zmm',
      instructions: 10,
      multiplies: 2,
      multiplyAdds: 128,
      sums: 2,
      loads: 3,
      moves: 1,
      stackStores: 1,
    });
  });

  it('takes rbp for the frame only where the function says so', () => {
    expect(countLoop(onlyLoop(X86, tile), 'int8', false).stackStores).toBe(0);
    expect(countLoop(onlyLoop(X86, tile), 'float32', false).multiplies).toBe(0);
  });

  it('counts Arm instructions', () => {
    const expected = { instruction: 'sdot', multiplies: 2, multiplyAdds: 32, sums: 2, loads: 2, moves: 1 };
    expect(countLoop(onlyLoop(ARM, 'tile'), 'int8', true)).toMatchObject({ ...expected, stackStores: 2 });
    expect(countLoop(onlyLoop(ARM, 'tile'), 'int8', false)).toMatchObject({ ...expected, stackStores: 1 });
  });
});
