#pragma once
#include <cstdint>

namespace qgemm {

/// While alive, the thread computes with round to nearest, denormals honoured, no traps (MXCSR 0x1F80, FPCR 0),
/// whatever the host set; the caller's environment comes back afterwards. Same bits depend on it.
class ScopedFpEnv {
 public:
  ScopedFpEnv();
  ~ScopedFpEnv();
  ScopedFpEnv(const ScopedFpEnv&) = delete;
  ScopedFpEnv& operator=(const ScopedFpEnv&) = delete;

 private:
  uint64_t saved_;
};

}  // namespace qgemm
