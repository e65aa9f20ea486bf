// Tensor quantization by the driver: how a tensor is cut into pieces, and the results behind guard pages.
#include "core/quantize.h"

#include <atomic>
#include <cmath>
#include <vector>

#include "test/guarded.h"
#include "test/harness.h"

namespace qgemm {
namespace test {
namespace {

// Shapes on both sides of every boundary: of short and long runs, of one piece, of rows put side by side.
const Slab kSlabs[] = {
    {0, 3, 5},     {3, 0, 5},    {3, 5, 0},      {1, 1, 1},      {1, 1, 100000}, {7, 1, 3},
    {5, 40, 1},    {2000, 3, 1}, {999, 7, 2},    {1, 3000, 31},  {3, 33, 32},    {2, 5, 33},
    {2, 3, 63},    {2, 3, 64},   {300, 1030, 1}, {3, 2500, 2},   {17, 100, 9},   {1, 5, 40000},
    {2, 2, 32769}, {1, 1024, 1}, {1, 1025, 1},   {70000, 1, 31},
};

struct Coverage {
  Slab slab;
  std::vector<std::atomic<int>> visits;
  std::vector<std::atomic<size_t>> channels;
};

void visit(void* context, const Piece& piece) {
  Coverage& coverage = *static_cast<Coverage*>(context);
  for_each_channel(coverage.slab, piece, [&](size_t channel, size_t column, size_t columns) {
    const size_t end = piece.shape.per_column ? column + columns : piece.shape.columns;
    for (size_t row = 0; row < piece.shape.rows; ++row) {
      for (size_t j = column; j < end; ++j) {
        const size_t element = piece.offset + row * piece.shape.ld + j;
        coverage.visits[element].fetch_add(1);
        coverage.channels[element].store(channel);
      }
    }
  });
}

QGEMM_TEST(pieces_cover_every_element_once) {
  for (const Slab& slab : kSlabs) {
    for (const size_t min_run : {32, 64}) {
      Coverage coverage{slab, std::vector<std::atomic<int>>(slab.size()),
                        std::vector<std::atomic<size_t>>(slab.size())};
      for_each_piece(slab, min_run, visit, &coverage);
      for (size_t i = 0; i < slab.size(); ++i) {
        const size_t channel = i / slab.inner % slab.axis;
        EXPECT(coverage.visits[i] == 1 && coverage.channels[i] == channel,
               "[%zu, %zu, %zu] min_run %zu: element %zu was visited %d times, for channel %zu instead of %zu",
               slab.outer, slab.axis, slab.inner, min_run, i, coverage.visits[i].load(), coverage.channels[i].load(),
               channel);
      }
    }
  }
}

void check(const Slab& slab, bool is_signed, Random* random) {
  const size_t size = slab.size();
  Guarded<float> x_memory(size), back_memory(size), scale_memory(slab.axis);
  Guarded<int32_t> zero_memory(slab.axis);
  Guarded<uint8_t> q_memory(size);
  float* x = x_memory.take(size);
  float* back = back_memory.take(size);
  float* scales = scale_memory.take(slab.axis);
  int32_t* zero_points = zero_memory.take(slab.axis);
  uint8_t* q = q_memory.take(size);
  for (size_t i = 0; i < size; ++i) x[i] = random->chance(50) ? NAN : random->real(-4, 4);

  const int32_t qmin = is_signed ? -128 : 0, qmax = qmin + 255;
  const QRange range{Numerics::qgemm, is_signed, false, qmin, qmax, false, 0x1p-126f};
  EXPECT(choose_qparams(x, slab, range, false, scales, zero_points) == Status::ok, "choose_qparams");
  quantize(x, slab, scales, zero_points, false, qmin, qmax, q);
  dequantize(q, is_signed, slab, scales, zero_points, back);
  EXPECT(back_memory.intact() && scale_memory.intact() && zero_memory.intact() && q_memory.intact(),
         "[%zu, %zu, %zu]: written before the start", slab.outer, slab.axis, slab.inner);
  for (size_t i = 0; i < size; ++i) {
    const size_t channel = i / slab.inner % slab.axis;
    const int32_t code = is_signed ? static_cast<int8_t>(q[i]) : q[i];
    const float expected = static_cast<float>(code - zero_points[channel]) * scales[channel];
    const bool near =
        std::isnan(x[i]) ? code == zero_points[channel] : std::fabs(x[i] - expected) <= scales[channel] * 0.5001f;
    EXPECT(near && back[i] == expected, "[%zu, %zu, %zu]: x[%zu] = %g, code %d, back %g, expected %g", slab.outer,
           slab.axis, slab.inner, i, x[i], code, back[i], expected);
  }
}

QGEMM_TEST(quantize_and_dequantize_at_guard_pages) {
  Random random;
  for (const Slab& slab : kSlabs) {
    check(slab, true, &random);
    check(slab, false, &random);
  }
}

QGEMM_TEST(rejecting_non_finite_values_writes_nothing) {
  float x[40] = {1, 2, 3};
  x[37] = INFINITY;
  float scale = -1;
  int32_t zero_point = -1;
  const QRange range{Numerics::qgemm, true, true, -127, 127, false, 0x1p-126f};
  EXPECT(choose_qparams(x, {1, 1, 40}, range, true, &scale, &zero_point) == Status::non_finite, "not refused");
  EXPECT(scale == -1 && zero_point == -1, "written: %g %d", scale, zero_point);
  EXPECT(find_non_finite(x, 40) == 37 && find_non_finite(x, 37) == 37, "found %zu", find_non_finite(x, 40));
}

}  // namespace
}  // namespace test
}  // namespace qgemm
