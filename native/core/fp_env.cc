#include "core/fp_env.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace qgemm {
namespace {

#if defined(__x86_64__) || defined(_M_X64)
constexpr uint64_t kDefault = 0x1f80;  // all exceptions masked, round to nearest, denormals honoured
uint64_t read_control() { return _mm_getcsr(); }
void write_control(uint64_t value) { _mm_setcsr(static_cast<uint32_t>(value)); }
#elif defined(__aarch64__)
constexpr uint64_t kDefault = 0;
uint64_t read_control() {
  uint64_t value;
  __asm__ volatile("mrs %0, fpcr" : "=r"(value));
  return value;
}
void write_control(uint64_t value) { __asm__ volatile("msr fpcr, %0" : : "r"(value)); }
#else
constexpr uint64_t kDefault = 0;
uint64_t read_control() { return kDefault; }
void write_control(uint64_t) {}
#endif

}  // namespace

ScopedFpEnv::ScopedFpEnv() : saved_(read_control()) {
  if (saved_ != kDefault) write_control(kDefault);
}

ScopedFpEnv::~ScopedFpEnv() {
  // Written back even when it was the default: MXCSR collects sticky exception flags that are the caller's business.
  if (read_control() != saved_) write_control(saved_);
}

}  // namespace qgemm
