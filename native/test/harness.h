// A test harness of one page, so that the native tests need nothing but a compiler. Each *_test.cc is one program; its
// tests run in order of definition, or only those whose name contains the program's argument.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

namespace qgemm {
namespace test {

/// Exit status that ctest reports as "Skipped" (SKIP_RETURN_CODE in CMakeLists.txt).
constexpr int kSkipped = 77;

struct Test {
  const char* name;
  void (*run)();
  Test* next;
  Test(const char* name, void (*run)());
};

/// Counts a failure of the running test and prints the first few of them.
void fail(const char* file, int line, const std::string& message);

/// Runs the tests whose name contains `filter`. Returns the exit status: 0, or 1 when any failed or none was run.
int run_tests(const std::string& filter);

/// True under an emulator (QGEMM_TEST_SLOW_CPU=1, or set_slow_cpu was called): sweeps then take a part of their cases.
bool slow_cpu();
void set_slow_cpu();

/// The seed of every random number, printed at start: QGEMM_TEST_SEED, or a fixed one.
uint64_t seed();

/// xoshiro-like small generator (splitmix64): the same numbers on every platform.
class Random {
 public:
  explicit Random(uint64_t stream = 0) : state_(seed() + stream * 0x9e3779b97f4a7c15ull) {}
  uint64_t bits() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  /// Uniform in [lo, hi].
  int64_t integer(int64_t lo, int64_t hi) {
    return lo + static_cast<int64_t>(bits() % static_cast<uint64_t>(hi - lo + 1));
  }
  /// Uniform in [lo, hi).
  float real(float lo, float hi) { return lo + (hi - lo) * static_cast<float>(bits() >> 40) * 0x1p-24f; }
  bool chance(int one_in) { return bits() % static_cast<uint64_t>(one_in) == 0; }

 private:
  uint64_t state_;
};

/// printf into a string.
std::string format(const char* pattern, ...) __attribute__((format(printf, 1, 2)));

}  // namespace test
}  // namespace qgemm

#define QGEMM_TEST(name)                                           \
  static void name();                                              \
  static const ::qgemm::test::Test name##_registered{#name, name}; \
  static void name()

#define EXPECT(condition, ...)                                                                     \
  do {                                                                                             \
    if (!(condition)) ::qgemm::test::fail(__FILE__, __LINE__, ::qgemm::test::format(__VA_ARGS__)); \
  } while (0)
