// How many threads: the texts that the kernel and the user write.
#include "core/thread_count.h"

#include "test/harness.h"

namespace qgemm {
namespace test {
namespace {

QGEMM_TEST(cpu_max_rounds_up_and_max_is_no_limit) {
  const struct {
    const char* text;
    size_t cpus;
  } cases[] = {
      {"max 100000\n", 0},
      {"50000 100000\n", 1},
      {"100000 100000\n", 1},
      {"100001 100000\n", 2},
      {"250000 100000\n", 3},
      {"1000 100000", 1},
      {"", 0},
      {"garbage", 0},
      {"100000", 0},
      {"100000 0", 0},
      {"-1 100000", 0},
      {"nan nan", 0},
      {"1e300 1", kMaxThreads},
      {"300000 garbage", 0},
  };
  for (const auto& c : cases) {
    const size_t cpus = parse_cpu_max(c.text);
    EXPECT(cpus == c.cpus, "\"%s\" gives %zu, not %zu", c.text, cpus, c.cpus);
  }
}

QGEMM_TEST(the_variable_is_an_integer_or_an_error) {
  std::string error;
  size_t threads = 0;
  for (const char* text : {"1", "2", "007", "1024"}) {
    EXPECT(parse_thread_count(text, 5, &threads, &error), "%s was refused", text);
    EXPECT(threads == std::stoul(text), "%s gives %zu", text, threads);
  }
  for (const char* text : {static_cast<const char*>(nullptr), ""}) {
    EXPECT(parse_thread_count(text, 5, &threads, &error) && threads == 5, "an absent value gives %zu", threads);
  }
  for (const char* text : {"0", "1025", "-1", "+1", " 1", "1 ", "1.0", "0x2", "99999", "99999999999999999999", "two"}) {
    error.clear();
    EXPECT(!parse_thread_count(text, 5, &threads, &error), "%s was accepted", text);
    EXPECT(error.find(text) != std::string::npos, "the error does not show the value: %s", error.c_str());
  }
}

QGEMM_TEST(there_is_at_least_one_thread) {
  const size_t threads = available_threads();
  EXPECT(threads >= 1 && threads <= kMaxThreads, "available_threads() is %zu", threads);
}

}  // namespace
}  // namespace test
}  // namespace qgemm
