#pragma once
#include <cstdint>

namespace qgemm {
namespace test {

/// Lets kernels run whose instructions this CPU lacks: a SIGILL handler decodes the instruction, does what it would
/// have done, and goes on behind it. The very code that ships is executed, at some microseconds per emulated
/// instruction. Returns the features that can be emulated on this machine (on x86-64 Linux: kAvxVnni with AVX2,
/// kAmxInt8 with AVX-512; elsewhere none).
uint32_t install_emulator();

}  // namespace test
}  // namespace qgemm
