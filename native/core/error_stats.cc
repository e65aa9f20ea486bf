#include "core/error_stats.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace qgemm {
namespace {

constexpr int kHalf = Histogram::kBins / 2;

/// Pairs that are looked through before they are counted, so that a histogram's range is settled once for all of them.
constexpr size_t kBlock = 1024;

uint32_t bits_of(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

bool is_finite(float value) { return (bits_of(value) & 0x7f800000u) != 0x7f800000u; }

int exponent_above(double magnitude) {
  int exponent;
  std::frexp(magnitude, &exponent);
  return exponent;  // magnitude < 2^exponent
}

/// A histogram while it is added to: the factor of its bins and new counts are at hand. Ends with flush().
class Counter {
 public:
  explicit Counter(Histogram* histogram) : histogram_(*histogram), factor_(kHalf / histogram->range) {}

  /// To be called before add() for values up to this magnitude.
  void reserve(double magnitude) {
    if (!(magnitude >= histogram_.range && magnitude > 0)) return;
    flush();
    grow(exponent_above(magnitude));
  }

  /// `lane` 0 or 1 in turn: equal values in a row would wait for each other's count.
  void add(double value, int lane) {
    // A product with a power of two is exact. 0 * infinity, of a range that is still 0, is in no bin but the middle.
    const double scaled = value * factor_;
    const bool inside = scaled >= -kHalf && scaled < kHalf;
    const int whole = inside ? static_cast<int>(scaled) : 0;
    // No branch: signs are random.
    const int bin = whole - (static_cast<int>(inside) & static_cast<int>(scaled < whole));
    counts_[lane][bin + kHalf] += 1;
  }

  void flush() {
    for (int i = 0; i < Histogram::kBins; ++i) {
      histogram_.bins[i] += static_cast<double>(counts_[0][i]) + static_cast<double>(counts_[1][i]);
    }
    std::memset(counts_, 0, sizeof(counts_));
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
  uint64_t counts_[2][Histogram::kBins] = {};
};

/// Sums over pairs of finite values, kept in registers while a block is added.
struct Sums {
  double xx, yy, xy, noise, max_error, max_value;

  void add(double x, double y) {
    const double error = y - x;
    xx += x * x;
    yy += y * y;
    xy += x * y;
    noise += error * error;
    max_error = std::max(max_error, std::fabs(error));
    max_value = std::max(max_value, std::fabs(x));
  }
};

/// Adds a block of finite pairs.
void add_block(const float* x, const float* y, size_t count, ErrorStats* stats, Counter* values, Counter* errors) {
  Sums sums = {stats->xx, stats->yy, stats->xy, stats->noise, 0, 0};
  for (size_t i = 0; i < count; ++i) sums.add(x[i], y[i]);
  stats->xx = sums.xx;
  stats->yy = sums.yy;
  stats->xy = sums.xy;
  stats->noise = sums.noise;
  stats->max_error = std::max(stats->max_error, sums.max_error);
  values->reserve(sums.max_value);
  errors->reserve(sums.max_error);
  for (size_t i = 0; i < count; ++i) {
    values->add(x[i], i & 1);
    errors->add(static_cast<double>(y[i]) - x[i], i & 1);
  }
}

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
  for (size_t start = 0; start < count;) {
    const size_t end = std::min(count, start + kBlock);
    size_t i = start;
    while (i < end && is_finite(original[i]) && is_finite(approximation[i])) ++i;
    add_block(original + start, approximation + start, i - start, stats, &values, &errors);
    if (i < end) {
      stats->special += 1;
      if (bits_of(original[i]) != bits_of(approximation[i])) stats->incomparable += 1;
      ++i;
    }
    start = i;
  }
  values.flush();
  errors.flush();
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
