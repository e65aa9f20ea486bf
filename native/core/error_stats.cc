#include "core/error_stats.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "core/float_bits.h"
#include "core/thread_pool.h"

namespace qgemm {
namespace {

constexpr int kHalf = Histogram::kBins / 2;

/// Pairs that one participant looks at as a whole. Sums are taken piece by piece, so that they do not depend on
/// threads.
constexpr size_t kPiece = 32768;

/// Pieces that are at work at a time: what they know lies on the stack.
constexpr size_t kPieces = 32;

bool is_finite(float value) { return (bits_of(value) & 0x7f800000u) != 0x7f800000u; }

int exponent_above(double magnitude) {
  int exponent;
  std::frexp(magnitude, &exponent);
  return exponent;  // magnitude < 2^exponent
}

/// New counts of one histogram. Lanes 0 and 1 in turn: equal values in a row would wait for each other's count.
struct Counts {
  uint32_t lanes[2][Histogram::kBins];

  /// `factor` is bins per unit. A product with a power of two is exact. What is in no bin, 0 * infinity of a range that
  /// is still 0, goes to the middle.
  void add(double value, double factor, size_t lane) {
    const double scaled = value * factor;
    const bool inside = scaled >= -kHalf && scaled < kHalf;
    const int whole = inside ? static_cast<int>(scaled) : 0;
    // No branch: signs are random.
    const int bin = whole - (static_cast<int>(inside) & static_cast<int>(scaled < whole));
    lanes[lane][bin + kHalf] += 1;
  }
};

void merge_bins(Histogram* histogram, int doublings) {
  if (doublings <= 0) return;
  const int shift = doublings < 7 ? doublings : 7;  // after 7 every bin is one of the two around 0
  double merged[Histogram::kBins] = {};
  for (int i = 0; i < Histogram::kBins; ++i) {
    const int below = i < kHalf;
    const int distance = below ? kHalf - 1 - i : i - kHalf;
    merged[below ? kHalf - 1 - (distance >> shift) : kHalf + (distance >> shift)] += histogram->bins[i];
  }
  std::memcpy(histogram->bins, merged, sizeof(merged));
}

/// Widens the range so that values up to this magnitude have bins.
void reserve(Histogram* histogram, double magnitude) {
  if (!(magnitude >= histogram->range && magnitude > 0)) return;
  const int exponent = exponent_above(magnitude);
  // Zeros are all in the bin that begins at 0, which stays where it is.
  if (histogram->range > 0) merge_bins(histogram, exponent - exponent_above(histogram->range / 2));
  histogram->range = std::ldexp(1.0, exponent);
}

void add_counts(Histogram* histogram, const Counts& counts) {
  for (int i = 0; i < Histogram::kBins; ++i) {
    histogram->bins[i] += static_cast<double>(counts.lanes[0][i]) + static_cast<double>(counts.lanes[1][i]);
  }
}

/// What one piece of pairs gives.
struct Piece {
  double xx, yy, xy, noise, max_error, max_value;
  double special, incomparable;
  Counts values, errors;

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

struct Work {
  const float *original, *approximation;
  size_t count;
  double values_factor, errors_factor;
  Piece pieces[kPieces];

  /// Calls fn(x, y, i) for the finite pairs of a piece, and special(i) for the others.
  template <typename Fn, typename Special>
  void for_each(size_t index, const Fn& fn, const Special& special) const {
    const size_t end = std::min(count, (index + 1) * kPiece);
    for (size_t i = index * kPiece; i < end; ++i) {
      const float x = original[i], y = approximation[i];
      if (is_finite(x) && is_finite(y)) {
        fn(x, y, i);
      } else {
        special(i);
      }
    }
  }
};

void sum_piece(void* context, size_t index) {
  Work& work = *static_cast<Work*>(context);
  Piece piece = {};
  work.for_each(
      index, [&](double x, double y, size_t) { piece.add(x, y); },
      [&](size_t i) {
        piece.special += 1;
        piece.incomparable += bits_of(work.original[i]) != bits_of(work.approximation[i]);
      });
  work.pieces[index] = piece;
}

void count_piece(void* context, size_t index) {
  Work& work = *static_cast<Work*>(context);
  Piece& piece = work.pieces[index];
  const auto count = [&](double x, double y, size_t i) {
    piece.values.add(x, work.values_factor, i & 1);
    piece.errors.add(y - x, work.errors_factor, i & 1);
  };
  work.for_each(index, count, [](size_t) {});
}

/// Adds at most kPieces pieces.
void add_pieces(Work* work, ErrorStats* stats) {
  ThreadPool& pool = ThreadPool::instance();
  const size_t pieces = (work->count + kPiece - 1) / kPiece;
  pool.parallel_for(pieces, sum_piece, work);
  for (size_t p = 0; p < pieces; ++p) {
    const Piece& piece = work->pieces[p];
    stats->special += piece.special;
    stats->incomparable += piece.incomparable;
    stats->xx += piece.xx;
    stats->yy += piece.yy;
    stats->xy += piece.xy;
    stats->noise += piece.noise;
    stats->max_error = std::max(stats->max_error, piece.max_error);
    reserve(&stats->values, piece.max_value);
    reserve(&stats->errors, piece.max_error);
  }
  work->values_factor = kHalf / stats->values.range;
  work->errors_factor = kHalf / stats->errors.range;
  pool.parallel_for(pieces, count_piece, work);
  for (size_t p = 0; p < pieces; ++p) {
    add_counts(&stats->values, work->pieces[p].values);
    add_counts(&stats->errors, work->pieces[p].errors);
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
  Work work;
  for (size_t start = 0; start < count; start += kPieces * kPiece) {
    work.original = original + start;
    work.approximation = approximation + start;
    work.count = std::min(count - start, kPieces * kPiece);
    add_pieces(&work, stats);
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
