// kernel_bench: every kernel of kernels.inc that this CPU can run, timed alone and in percent of what limits it. --help
// says how it is used; docs/measuring.md says how to read it.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <new>
#include <set>

#include "bench/bandwidth.h"
#include "bench/options.h"
#include "bench/peak.h"
#include "bench/report.h"
#include "core/dispatch.h"
#include "core/fp_env.h"

namespace qgemm {
namespace bench {
namespace {

constexpr double kSampleSeconds = 2e-3;  // a sample repeats a sweep for about this long
constexpr double kSubjectSeconds = 1;    // after so much of it a subject gets no more than kLeastRounds
constexpr size_t kLeastRounds = 3;
constexpr double kLeastRead = 32 * 1024;    // smaller weights are read in no time that a loop could measure
constexpr double kLimitMilliseconds = 0.5;  // for each loop of peak and bandwidth

double seconds_of(Subject* subject, size_t repeats) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  for (size_t i = 0; i < repeats; ++i) subject->run();
  return std::chrono::duration<double>(Clock::now() - start).count() / static_cast<double>(repeats);
}

// A line of the table without a subject would be a kernel that nobody measures.
bool covers_table(const Subjects& subjects) {
  std::set<std::string> measured;
  for (const auto& subject : subjects) measured.insert(subject->kernel);
  bool complete = true;
  const auto expect = [&](const char* name, const char* isa) {
    static const std::set<std::string> isas = [] {
      std::set<std::string> runnable;
      for (const auto& line : gemm_u8s8f32_kernels()) {
        if ((line.features & ~dispatch_config().features) == 0) runnable.insert(line.isa);
      }
      for (const auto& line : gemm_f32_kernels()) {
        if ((line.features & ~dispatch_config().features) == 0) runnable.insert(line.isa);
      }
      return runnable;
    }();
    if (isas.count(isa) == 0 || measured.count(name) != 0) return;
    std::fprintf(stderr, "kernel_bench: %s is in kernels.inc, and native/bench has nothing that runs it\n", name);
    complete = false;
  };
#define QGEMM_GEMM_KERNEL(op, mr, nr, kr, isa) expect(#op "_" #mr "x" #nr "c" #kr "_" #isa, #isa);
#define QGEMM_ROW_KERNEL(op, isa) expect(#op "_" #isa, #isa);
#include "kernels/kernels.inc"
#undef QGEMM_GEMM_KERNEL
#undef QGEMM_ROW_KERNEL
  return complete;
}

void one_round(Subject* subject, size_t repeats, Samples* samples) {
  subject->run();  // caches hold its own data, whoever ran before
  samples->seconds.push_back(seconds_of(subject, repeats));
  samples->peak_gops = std::max(samples->peak_gops, peak_gops(subject->instruction, kLimitMilliseconds));
  for (size_t i = 0; i < samples->read_seconds.size(); ++i) {
    const auto size = static_cast<size_t>(subject->bytes);
    samples->read_seconds[i].push_back(read_seconds(i, subject->weights, size, 1, kLimitMilliseconds));
  }
}

std::vector<Samples> measure(const Subjects& subjects, size_t rounds) {
  std::vector<Samples> samples(subjects.size());
  std::vector<size_t> repeats, counts;
  for (size_t i = 0; i < subjects.size(); ++i) {
    if (subjects[i]->weights != nullptr && subjects[i]->bytes >= kLeastRead)
      samples[i].read_seconds.resize(read_variants());
    const double once = std::max(seconds_of(subjects[i].get(), 1), 1e-8);
    repeats.push_back(std::max(static_cast<size_t>(kSampleSeconds / once), size_t{1}));
    const auto affordable = static_cast<size_t>(kSubjectSeconds / std::max(once, kSampleSeconds));
    counts.push_back(std::min(rounds, std::max(affordable, kLeastRounds)));
  }
  for (size_t round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < subjects.size(); ++i) {
      if (round < counts[i]) one_round(subjects[i].get(), repeats[i], &samples[i]);
    }
  }
  return samples;
}

int run(const Options& options) {
  const ScopedFpEnv fp_env;
  Subjects subjects;
  add_gemm_subjects(options.selection, &subjects);
  add_row_subjects(options.selection, &subjects);
  if (subjects.empty()) {
    std::fprintf(stderr, "kernel_bench: this CPU has no kernel whose name contains \"%s\"\n",
                 options.selection.filter.c_str());
    return 1;
  }
  if (options.selection.filter.empty() && !covers_table(subjects)) return 1;
  for (const auto& subject : subjects) {
    if (subject->check()) continue;
    std::fprintf(stderr, "kernel_bench: %s differs from the oracle at %zux%zux%zu\n", subject->kernel.c_str(),
                 subject->shape.m, subject->shape.k, subject->shape.n);
    return 1;
  }
  const std::vector<Samples> samples = measure(subjects, options.rounds);
  if (options.json) {
    print_json(subjects, samples, options.rounds);
  } else {
    print_table(subjects, samples);
  }
  return 0;
}

}  // namespace
}  // namespace bench
}  // namespace qgemm

int main(int argc, char** argv) {
  qgemm::bench::Options options;
  std::string error;
  if (!qgemm::bench::parse_options(argc, argv, &options, &error)) {
    std::fprintf(stderr, "kernel_bench: %s\n", error.c_str());
    return 2;
  }
  if (options.help) {
    std::fputs(qgemm::bench::kHelp, stdout);
    return 0;
  }
  try {
    return qgemm::bench::run(options);
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "kernel_bench: not enough memory\n");
    return 1;
  }
}
