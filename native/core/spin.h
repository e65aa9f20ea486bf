#pragma once
#include <chrono>
#if defined(_MSC_VER)
#include <intrin.h>
#endif

namespace qgemm {

using Clock = std::chrono::steady_clock;

/// How long a thread waits for others before it sleeps, and at least looks for work. Longer would steal a busy
/// neighbour's time.
constexpr std::chrono::microseconds kSpinTime{20};

inline void cpu_relax() {
#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
  _mm_pause();
#elif defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) && !defined(_MSC_VER)
  __asm__ __volatile__("isb");
#endif
}

/// Spins until `ready()`, or until `*now` is the deadline. Whether it became ready.
template <typename Ready>
bool spin_until(const Ready& ready, Clock::time_point deadline, Clock::time_point* now) {
  if (ready()) return true;
  do {
    for (int i = 0; i < 16; ++i) {
      cpu_relax();
      if (ready()) return true;
    }
    *now = Clock::now();
  } while (*now < deadline);
  return false;
}

/// The same for kSpinTime from now on.
template <typename Ready>
bool spin_until(const Ready& ready) {
  if (ready()) return true;
  Clock::time_point now = Clock::now();
  return spin_until(ready, now + kSpinTime, &now);
}

}  // namespace qgemm
