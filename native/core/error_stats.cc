#include "core/error_stats.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace qgemm {
namespace {

constexpr int kHalf = Histogram::kBins / 2;

bool same_bits(float a, float b) {
  uint32_t x, y;
  std::memcpy(&x, &a, sizeof(x));
  std::memcpy(&y, &b, sizeof(y));
  return x == y;
}

int exponent_above(double magnitude) {
  int exponent;
  std::frexp(magnitude, &exponent);
  return exponent;  // magnitude < 2^exponent
}

/// A histogram while it is added to: the factor of its bins is at hand.
class Counter {
 public:
  explicit Counter(Histogram* histogram) : histogram_(*histogram), factor_(kHalf / histogram->range) {}

  void add(double value) {
    const double magnitude = std::fabs(value);
    if (magnitude >= histogram_.range && magnitude > 0) grow(exponent_above(magnitude));
    // A product with a power of two is exact; 0 * infinity of a range that is still 0 is not wanted.
    const double bin = value == 0 ? 0 : std::floor(value * factor_);
    histogram_.bins[bin >= -kHalf && bin < kHalf ? static_cast<int>(bin) + kHalf : kHalf] += 1;
  }

 private:
  void grow(int exponent) {
    // Zeros are all in the bin that begins at 0, which stays where it is.
    if (histogram_.range > 0) merge(exponent - exponent_above(histogram_.range / 2));
    histogram_.range = std::ldexp(1.0, exponent);
    factor_ = kHalf / histogram_.range;
  }

  void merge(int doublings) {
    if (doublings <= 0) return;
    const int shift = doublings < 7 ? doublings : 7;  // after 7 every bin is one of the two around 0
    double merged[Histogram::kBins] = {};
    for (int i = 0; i < Histogram::kBins; ++i) {
      const int below = i < kHalf;
      const int distance = below ? kHalf - 1 - i : i - kHalf;
      merged[below ? kHalf - 1 - (distance >> shift) : kHalf + (distance >> shift)] += histogram_.bins[i];
    }
    std::memcpy(histogram_.bins, merged, sizeof(merged));
  }

  Histogram& histogram_;
  double factor_;
};

double ratio_db(double signal, double noise) {
  if (noise == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(signal / noise);
}

double cosine_of(const ErrorStats& stats) {
  if (stats.noise == 0) return 1;  // exactly, whatever the roots round to
  if (stats.xx == 0 || stats.yy == 0) return 0;
  return stats.xy / (std::sqrt(stats.xx) * std::sqrt(stats.yy));
}

}  // namespace

void accumulate_errors(const float* original, const float* approximation, size_t count, ErrorStats* stats) {
  Counter values(&stats->values);
  Counter errors(&stats->errors);
  for (size_t i = 0; i < count; ++i) {
    if (!std::isfinite(original[i]) || !std::isfinite(approximation[i])) {
      stats->special += 1;
      if (!same_bits(original[i], approximation[i])) stats->incomparable += 1;
      continue;
    }
    const double x = original[i], y = approximation[i], error = y - x;
    stats->xx += x * x;
    stats->yy += y * y;
    stats->xy += x * y;
    stats->noise += error * error;
    if (std::fabs(error) > stats->max_error) stats->max_error = std::fabs(error);
    values.add(x);
    errors.add(error);
  }
  stats->count += static_cast<double>(count);
}

Comparison comparison_of(const ErrorStats& stats) {
  if (stats.incomparable > 0) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    return {nan, nan, nan};
  }
  return {ratio_db(stats.xx, stats.noise), cosine_of(stats), stats.max_error};
}

Comparison compare_float32(const float* original, const float* approximation, size_t count) {
  ErrorStats stats = {};
  accumulate_errors(original, approximation, count, &stats);
  return comparison_of(stats);
}

}  // namespace qgemm
