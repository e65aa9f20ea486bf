#include "test/emulator.h"

#include "core/cpu.h"
#include "kernels/kernel.h"

#if defined(__x86_64__) && defined(__linux__)
#include <signal.h>

#include <cstring>

#include "test/emulator_state.h"

namespace qgemm {
namespace test {
namespace {

// The signal frame's XSAVE area, in its standard format: legacy region with XMM at 160, header at 512, upper halves of
// YMM at 576 (Intel SDM volume 1, 13.4).
constexpr size_t kXmm = 160, kXstateBv = 512, kYmmHigh = 576;

struct Ymm {
  uint8_t bytes[32];
};

bool high_halves_valid(const Machine& machine) { return (machine.xsave()[kXstateBv] & 4) != 0; }

Ymm read_ymm(const Machine& machine, int index) {
  Ymm value = {};
  memcpy(value.bytes, machine.xsave() + kXmm + 16 * index, 16);
  if (high_halves_valid(machine)) memcpy(value.bytes + 16, machine.xsave() + kYmmHigh + 16 * index, 16);
  return value;
}

void write_ymm(const Machine& machine, int index, const Ymm& value) {
  if (!high_halves_valid(machine)) {
    memset(machine.xsave() + kYmmHigh, 0, 16 * 16);
    machine.xsave()[kXstateBv] |= 4;
  }
  memcpy(machine.xsave() + kXmm + 16 * index, value.bytes, 16);
  memcpy(machine.xsave() + kYmmHigh + 16 * index, value.bytes + 16, 16);
}

int32_t read_i32(const uint8_t* p) {
  int32_t value;
  memcpy(&value, p, sizeof value);
  return value;
}

// Reads the memory operand that starts at the byte after ModRM.
void decode_memory(const Machine& machine, int mod, int x, int b, const uint8_t* p, Decoded* out) {
  const int rm = out->rm & 7;
  uint64_t address = 0;
  out->stride = 0;
  bool base_is_next = false;
  if (rm == 4) {
    const int sib = *p++, index = (sib >> 3 & 7) | x << 3, base = (sib & 7) | b << 3;
    if (index != 4) out->stride = machine.general(index) << (sib >> 6);
    if ((sib & 7) == 5 && mod == 0) {
      address += static_cast<int64_t>(read_i32(p));
      p += 4;
    } else {
      address += machine.general(base);
    }
  } else if (rm == 5 && mod == 0) {
    address += static_cast<int64_t>(read_i32(p));
    p += 4;
    base_is_next = true;
  } else {
    address += machine.general(rm | b << 3);
  }
  if (mod == 1) address += static_cast<int64_t>(static_cast<int8_t>(*p++));
  if (mod == 2) {
    address += static_cast<int64_t>(read_i32(p));
    p += 4;
  }
  out->next = p;
  out->address = address + (base_is_next ? reinterpret_cast<uint64_t>(p) : 0);
}

bool decode(const Machine& machine, Decoded* out) {
  const auto* p = reinterpret_cast<const uint8_t*>(machine.context->uc_mcontext.gregs[REG_RIP]);
  if (p[0] != 0xc4) return false;
  const int r = ~p[1] >> 7 & 1, x = ~p[1] >> 6 & 1, b = ~p[1] >> 5 & 1;
  out->map = p[1] & 0x1f;
  out->vvvv = ~p[2] >> 3 & 15;
  out->length = p[2] >> 2 & 1;
  out->pp = p[2] & 3;
  out->opcode = p[3];
  const int modrm = p[4], mod = modrm >> 6;
  out->reg = (modrm >> 3 & 7) | r << 3;
  out->rm = (modrm & 7) | b << 3;
  out->memory = mod != 3;
  out->next = p + 5;
  if (out->memory) decode_memory(machine, mod, x, b, p + 5, out);
  return true;
}

// VEX.256.66.0F38.W0 50 /r: per 32-bit lane, four products of uint8 (vvvv) and int8 (rm) added to the destination.
void vpdpbusd(const Machine& machine, const Decoded& instruction) {
  Ymm sums = read_ymm(machine, instruction.reg);
  const Ymm a = read_ymm(machine, instruction.vvvv);
  Ymm w;
  if (instruction.memory) {
    memcpy(w.bytes, reinterpret_cast<const void*>(instruction.address + instruction.stride), sizeof w.bytes);
  } else {
    w = read_ymm(machine, instruction.rm);
  }
  for (int lane = 0; lane < 8; ++lane) {
    uint32_t sum;
    memcpy(&sum, sums.bytes + 4 * lane, 4);
    for (int i = 4 * lane; i < 4 * lane + 4; ++i) {
      sum += static_cast<uint32_t>(static_cast<int32_t>(a.bytes[i]) * static_cast<int8_t>(w.bytes[i]));
    }
    memcpy(sums.bytes + 4 * lane, &sum, 4);
  }
  write_ymm(machine, instruction.reg, sums);
}

// Does the instruction at the program counter and steps over it. False when it is not one of ours.
bool emulate_one(const Machine& machine) {
  Decoded instruction = {};
  if (!decode(machine, &instruction)) return false;
  if (instruction.map == 2 && instruction.pp == 1 && instruction.length == 1 && instruction.opcode == 0x50) {
    vpdpbusd(machine, instruction);
  } else if (!emulate_amx(instruction)) {
    return false;
  }
  machine.context->uc_mcontext.gregs[REG_RIP] = reinterpret_cast<greg_t>(instruction.next);
  return true;
}

void on_illegal_instruction(int, siginfo_t*, void* context) {
  const Machine machine = {static_cast<ucontext_t*>(context)};
  if (!emulate_one(machine)) {
    signal(SIGILL, SIG_DFL);  // the instruction runs again and ends the process
    return;
  }
  // A trap costs far more than an instruction: those that follow come along.
  while (emulate_one(machine)) {
  }
}

}  // namespace

uint32_t install_emulator() {
  const uint32_t features = cpu_features();
  if ((features & kAvx2) == 0) return 0;
  struct sigaction action = {};
  action.sa_sigaction = on_illegal_instruction;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &action, nullptr);
  // The epilogue of the AMX kernel is AVX-512 code, which is not emulated.
  return (features & kAvx512) != 0 ? kAvxVnni | kAmxInt8 : kAvxVnni;
}

}  // namespace test
}  // namespace qgemm

#else

namespace qgemm {
namespace test {

uint32_t install_emulator() { return 0; }

}  // namespace test
}  // namespace qgemm

#endif
