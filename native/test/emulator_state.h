// What the parts of the emulator share: the machine as the signal frame shows it, and a decoded instruction.
#pragma once
#if defined(__x86_64__) && defined(__linux__)
#include <ucontext.h>

#include <cstdint>

namespace qgemm {
namespace test {

// General registers in the order of their encoding.
constexpr int kGeneral[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                              REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

struct Machine {
  ucontext_t* context;
  uint8_t* xsave() const { return reinterpret_cast<uint8_t*>(context->uc_mcontext.fpregs); }
  uint64_t general(int index) const { return static_cast<uint64_t>(context->uc_mcontext.gregs[kGeneral[index]]); }
};

// A three-byte VEX prefix and what follows it, up to the end of the memory operand.
struct Decoded {
  int map, pp, vvvv, length, opcode;  // pp: 0 none, 1 66, 2 F3, 3 F2; length: 0 or 1, for 128 or 256 bits
  int reg, rm;
  bool memory;
  uint64_t address;  // of the memory operand; with a tile's stride not in it
  uint64_t stride;   // index register times scale, which tile loads and stores use as the distance between rows
  const uint8_t* next;
};

/// AMX-INT8 as the calling thread sees it: does `instruction` if it is one of them.
bool emulate_amx(const Decoded& instruction);

}  // namespace test
}  // namespace qgemm

#endif
