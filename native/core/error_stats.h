#pragma once
#include <cstddef>

namespace qgemm {

/// How far an approximation is from its original; sums are taken in double.
struct Comparison {
  double sqnr;       // 10 log10(sum x^2 / sum (x - y)^2), in dB; +infinity when nothing differs
  double cosine;     // sum xy / sqrt(sum x^2 * sum y^2); 1 when both are zero, 0 when one is
  double max_error;  // largest |x - y|
};

/// Counts of values over [-range, range) in bins of equal width. The range is a power of two that grows with the
/// values: bins are merged in pairs, so that the counts do not depend on the order of the values. All zeros: the range
/// is 0.
struct Histogram {
  static constexpr int kBins = 128;
  double range;
  double bins[kBins];
};

/// What is known of pairs of values seen so far. Starts as zeros. All members are doubles: JavaScript holds it as a
/// Float64Array (lib/error-stats.ts knows the order), so that a tensor of any size is compared piece by piece.
struct ErrorStats {
  double count;         // pairs, special ones too
  double special;       // pairs of which one value is NaN or an infinity
  double incomparable;  // those whose two values are not the same bits
  double xx, yy, xy;
  double noise;  // sum (x - y)^2
  double max_error;
  Histogram values;  // of the original
  Histogram errors;  // of y - x
};

/// Adds count pairs, on the pool; the same figures with any number of threads. Special ones are left out of all sums
/// and histograms. Safe for any contents of stats.
void accumulate_errors(const float* original, const float* approximation, size_t count, ErrorStats* stats);

/// Every figure is NaN where some pair was incomparable.
Comparison comparison_of(const ErrorStats& stats);

Comparison compare_float32(const float* original, const float* approximation, size_t count);

}  // namespace qgemm
