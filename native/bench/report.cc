#include "bench/report.h"

#include <algorithm>
#include <cstdio>

#include "bench/bandwidth.h"
#include "core/cpu.h"

namespace qgemm {
namespace bench {
namespace {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double best(const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); }

// The read-only loop in its best variant.
struct Read {
  double median = 0, best = 0;
  const char* variant = "-";
};

Read summarize(const std::vector<std::vector<double>>& variants) {
  Read read;
  for (size_t i = 0; i < variants.size(); ++i) {
    const double middle = median(variants[i]), least = best(variants[i]);
    if (i == 0 || middle < read.median) {
      read.median = middle;
      read.variant = read_variant_name(i);
    }
    read.best = i == 0 ? least : std::min(read.best, least);
  }
  return read;
}

std::string size_text(const Shape& s) {
  std::string text = std::to_string(s.m) + "x" + std::to_string(s.k);
  return s.n == 0 ? text : text + "x" + std::to_string(s.n);
}

std::string percent(double part, double whole) {
  if (whole <= 0) return "-";
  return std::to_string(static_cast<int>(part / whole * 100 + 0.5)) + " %";
}

std::string fixed(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

}  // namespace

void print_table(const Subjects& subjects, const std::vector<Samples>& samples) {
  std::printf("%s\n\n", cpu_name().empty() ? "unknown CPU" : cpu_name().c_str());
  const char* pattern = "%-36s %16s %10s %10s %6s %6s %6s %6s  %s\n";
  std::printf(pattern, "kernel", "size", "median us", "best us", "GOPS", "peak", "GB/s", "read", "by");
  for (size_t i = 0; i < subjects.size(); ++i) {
    const Subject& subject = *subjects[i];
    const double middle = median(samples[i].seconds);
    const Read read = summarize(samples[i].read_seconds);
    const double gops = subject.operations / middle * 1e-9;
    std::printf(pattern, subject.kernel.c_str(), size_text(subject.shape).c_str(), fixed(middle * 1e6, 2).c_str(),
                fixed(best(samples[i].seconds) * 1e6, 2).c_str(),
                gops > 0 ? fixed(gops, gops < 10 ? 1 : 0).c_str() : "-", percent(gops, samples[i].peak_gops).c_str(),
                fixed(subject.bytes / middle * 1e-9, 1).c_str(),
                percent(read.median, read.median > 0 ? middle : 0).c_str(), read.variant);
  }
  std::printf(
      "\nGOPS: two per multiply-add. peak: of a register-only loop over the kernel's instruction.\n"
      "GB/s: of weights; for kernels without weights, of bytes read and written. read: of a read-only loop over the "
      "same\n"
      "weights (time of that loop / time of the kernel), in the variant that was fastest here.\n");
}

void print_json(const Subjects& subjects, const std::vector<Samples>& samples, size_t rounds) {
  std::printf("{\"cpu\": \"%s\", \"rounds\": %zu, \"kernels\": [", cpu_name().c_str(), rounds);
  for (size_t i = 0; i < subjects.size(); ++i) {
    const Subject& subject = *subjects[i];
    const Read read = summarize(samples[i].read_seconds);
    std::printf("%s\n {\"kernel\": \"%s\", \"m\": %zu, \"k\": %zu, \"n\": %zu, ", i == 0 ? "" : ",",
                subject.kernel.c_str(), subject.shape.m, subject.shape.k, subject.shape.n);
    std::printf(
        "\"operations\": %.0f, \"bytes\": %.0f, \"seconds\": {\"median\": %.4e, \"best\": %.4e, \"samples\": %zu}, ",
        subject.operations, subject.bytes, median(samples[i].seconds), best(samples[i].seconds),
        samples[i].seconds.size());
    std::printf("\"instruction\": \"%s\", \"peakGops\": %.1f, ", subject.instruction, samples[i].peak_gops);
    std::printf("\"readSeconds\": {\"median\": %.4e, \"best\": %.4e, \"variant\": \"%s\"}}", read.median, read.best,
                read.variant);
  }
  std::printf("\n]}\n");
}

}  // namespace bench
}  // namespace qgemm
