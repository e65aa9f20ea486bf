// Read-only loops: how fast this core, or several, can read a buffer when it does nothing else with it. Loads go to
// registers that nothing uses; inline assembly keeps the compiler from dropping them and needs no flags.
#include "bench/bandwidth.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iterator>
#include <thread>
#include <vector>

#include "core/cpu.h"
#include "core/cpu_affinity.h"
#include "kernels/kernel.h"

namespace qgemm {
namespace bench {
namespace {

constexpr size_t kLine = 64;

#if defined(__x86_64__) && defined(__GNUC__)
struct Widest {
  static void load(const char* p) { __asm__ volatile("vmovdqa64 (%0), %%zmm0" : : "r"(p) : "xmm0"); }
  static void finish() { __asm__ volatile("vzeroupper"); }
};
struct Wide {
  static void load(const char* p) {
    __asm__ volatile("vmovdqa (%0), %%ymm0\nvmovdqa 32(%0), %%ymm1" : : "r"(p) : "xmm0", "xmm1");
  }
  static void finish() { __asm__ volatile("vzeroupper"); }
};
struct Baseline {
  static void load(const char* p) {
    __asm__ volatile("movaps (%0), %%xmm0\nmovaps 16(%0), %%xmm1\nmovaps 32(%0), %%xmm2\nmovaps 48(%0), %%xmm3"
                     :
                     : "r"(p)
                     : "xmm0", "xmm1", "xmm2", "xmm3");
  }
  static void finish() {}
};
#elif defined(__aarch64__) && defined(__GNUC__)
struct Baseline {
  static void load(const char* p) {
    __asm__ volatile("ldp q0, q1, [%0]\nldp q2, q3, [%0, #32]" : : "r"(p) : "v0", "v1", "v2", "v3");
  }
  static void finish() {}
};
#else
struct Baseline {
  static void load(const char* p) {
    for (size_t i = 0; i < kLine / sizeof(size_t); ++i) {
      static_cast<void>(reinterpret_cast<const volatile size_t*>(p)[i]);
    }
  }
  static void finish() {}
};
#endif

inline void prefetch(const char* p) {
#if defined(__GNUC__)
  __builtin_prefetch(p);
#else
  static_cast<void>(p);
#endif
}

// Four lines per step: neighbours, or one of each of four streams.
template <typename Line, size_t kStreams, size_t kAhead>
void read_lines(const char* data, size_t bytes) {
  constexpr size_t kStep = 4 * kLine / kStreams;
  const size_t part = bytes / 1024 * 1024 / kStreams;
  for (size_t offset = 0; offset < part; offset += kStep) {
    for (size_t i = 0; i < 4; ++i) {
      const char* p = data + offset + (kStreams == 1 ? i * kLine : i * part);
      Line::load(p);
      if (kAhead != 0) prefetch(p + kAhead);
    }
  }
  Line::finish();
}

using ReadFn = void (*)(const char* data, size_t bytes);

struct Variant {
  const char* name;
  ReadFn baseline, wide, widest;
};

#if defined(__x86_64__) && defined(__GNUC__)
#define QGEMM_VARIANT(name, streams, ahead) \
  { name, read_lines<Baseline, streams, ahead>, read_lines<Wide, streams, ahead>, read_lines<Widest, streams, ahead> }
#else
#define QGEMM_VARIANT(name, streams, ahead) \
  { name, read_lines<Baseline, streams, ahead>, nullptr, nullptr }
#endif

constexpr Variant kVariants[] = {
    QGEMM_VARIANT("1 stream", 1, 0),
    QGEMM_VARIANT("1 stream, prefetch 1 KiB", 1, 1024),
    QGEMM_VARIANT("1 stream, prefetch 4 KiB", 1, 4096),
    QGEMM_VARIANT("4 streams", 4, 0),
    QGEMM_VARIANT("4 streams, prefetch 512 B", 4, 512),
    QGEMM_VARIANT("4 streams, prefetch 2 KiB", 4, 2048),
};

ReadFn function_of(const Variant& variant) {
  const uint32_t features = cpu_features();
  if (variant.widest != nullptr && (features & kAvx512) != 0) return variant.widest;
  if (variant.wide != nullptr && (features & kAvx2) != 0) return variant.wide;
  return variant.baseline;
}

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

size_t read_variants() { return std::size(kVariants); }
const char* read_variant_name(size_t variant) { return kVariants[variant].name; }

double read_seconds(size_t variant, const void* data, size_t bytes, size_t threads, double milliseconds) {
  const ReadFn read = function_of(kVariants[variant]);
  const size_t part = bytes / threads / 1024 * 1024;
  const char* begin = static_cast<const char*>(data);
  const bool again = milliseconds > 0;  // after a first time, which brings it into the caches that hold it
  auto start = Clock::now();
  if (again) read(begin, part);
  const size_t passes = std::max(static_cast<size_t>(milliseconds * 1e-3 / std::max(since(start), 1e-9)), size_t{1});
  std::atomic<size_t> waiting{0}, finished{0};
  std::atomic<bool> go{false};
  const int caller = current_cpu();
  std::vector<std::thread> helpers;
  for (size_t i = 1; i < threads; ++i) {
    helpers.emplace_back([&, mine = begin + i * part] {
      keep_off_cpu(current_thread_id(), caller);
      if (again) read(mine, part);
      waiting.fetch_add(1);
      while (!go.load(std::memory_order_acquire)) {
      }
      for (size_t pass = 0; pass < passes; ++pass) read(mine, part);
      finished.fetch_add(1);
    });
  }
  while (waiting.load() + 1 < threads) std::this_thread::yield();
  start = Clock::now();
  go.store(true, std::memory_order_release);
  for (size_t pass = 0; pass < passes; ++pass) read(begin, part);
  while (finished.load() + 1 < threads) {
  }
  const double seconds = since(start) / static_cast<double>(passes);
  for (std::thread& helper : helpers) helper.join();
  return seconds;
}

}  // namespace bench
}  // namespace qgemm
