// One linear layer with random weights and inputs, and what the oracle says its output is.
#pragma once
#include <vector>

#include "core/gemm.h"
#include "core/pack.h"
#include "test/harness.h"

namespace qgemm {
namespace test {

struct DriverCase {
  WeightsPtr weights;
  size_t m = 0;
  std::vector<float> x;         // [m, K]
  std::vector<float> bias;      // [Np]
  std::vector<float> residual;  // [m, N], or empty
  Activation activation = Activation::none;

  static DriverCase int8(size_t m, size_t n, size_t k, bool asymmetric_weights, RowRange range, Random* random);
  static DriverCase float32(size_t m, size_t n, size_t k, Random* random);

  Input input() const;
  LinearEpilogue epilogue() const;
  /// The oracle's y[m, N].
  std::vector<float> expected() const;
  /// Index of the first value of `y` that is not the oracle's, or y.size().
  size_t first_difference(const std::vector<float>& y) const;
};

}  // namespace test
}  // namespace qgemm
