#include "test/harness.h"

#include <cstdarg>
#include <cstdlib>
#include <cstring>

namespace qgemm {
namespace test {
namespace {

constexpr int kPrintedFailures = 10;
Test* first = nullptr;
Test** last = &first;
int failures = 0;
bool slow = false;

}  // namespace

Test::Test(const char* name, void (*run)()) : name(name), run(run), next(nullptr) {
  *last = this;
  last = &next;
}

void fail(const char* file, int line, const std::string& message) {
  if (++failures <= kPrintedFailures) std::printf("    %s:%d: %s\n", file, line, message.c_str());
}

void set_slow_cpu() { slow = true; }

bool slow_cpu() {
  if (slow) return true;
  const char* value = std::getenv("QGEMM_TEST_SLOW_CPU");
  return value != nullptr && std::strcmp(value, "1") == 0;
}

uint64_t seed() {
  const char* value = std::getenv("QGEMM_TEST_SEED");
  return value != nullptr ? std::strtoull(value, nullptr, 0) : 20261123;
}

std::string format(const char* pattern, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(text, sizeof text, pattern, arguments);
  va_end(arguments);
  return text;
}

int run_tests(const std::string& filter) {
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed()));
  int run = 0, failed = 0;
  for (const Test* test = first; test != nullptr; test = test->next) {
    if (std::string(test->name).find(filter) == std::string::npos) continue;
    failures = 0;
    test->run();
    ++run;
    if (failures > 0) ++failed;
    if (failures > kPrintedFailures) std::printf("    ... %d failures in all\n", failures);
    std::printf("%s %s\n", failures == 0 ? "pass" : "FAIL", test->name);
    std::fflush(stdout);
  }
  std::printf("%d passed, %d failed\n", run - failed, failed);
  if (run == 0) std::printf("no test is named like \"%s\"\n", filter.c_str());
  return failed == 0 && run > 0 ? 0 : 1;
}

}  // namespace test
}  // namespace qgemm
