#include <algorithm>
#include <memory>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/large_pairs.h"
#include "core/reference.h"
#include "test/guarded.h"
#include "test/kernel_checks.h"

namespace qgemm {
namespace test {
namespace {

constexpr size_t kMaxK = 5 * kPaddedK;
constexpr size_t kDeepK = 21 * kPaddedK;  // kernels work on some hundred steps of k at a time
constexpr size_t kManyTiles = 1024;       // tile sizes that are all tried

enum class Fill { random, corners, bell, window, late, halves, largest, smallest };

struct Case {
  size_t m, n, k;
  Fill fill;
  bool float_output, a_zero_points, b_zero_points, bias, residual, strides, codes;
  Activation activation;
};

bool packs_rows(const Kernel<GemmU8S8Fn>& kernel) { return blocks_of(kernel) == Blocks::packed_rows; }

// What a kernel is tried with: its register tile, or blocks of several and a part where it takes those.
size_t most_rows(const Kernel<GemmU8S8Fn>& kernel) {
  if (packs_rows(kernel)) return kernel.mr + 71;
  return takes_blocks(kernel) ? 3 * kernel.mr + 7 : kernel.mr;
}
size_t most_columns(const Kernel<GemmU8S8Fn>& kernel) {
  return kernel.nr * (takes_blocks(kernel) ? 9 : takes_many_columns(kernel) ? 4 : 1);
}

// Every buffer ends at a guard page; column arrays hold n rounded up to 32 values, as kernel.h says.
class Checker {
 public:
  explicit Checker(const Kernel<GemmU8S8Fn>& kernel) : Checker(kernel, most_rows(kernel), most_columns(kernel)) {}

  void check(const Case& c) {
    const size_t columns = column_values(c.n, kernel_.nr);
    const size_t panels = round_up(c.n, kPanelColumns) / kPanelColumns;
    GemmU8S8Args args{};
    args.m = c.m;
    args.n = c.n;
    args.logical_k = static_cast<uint32_t>(c.k == 0 ? 0 : random_.integer(c.k - kPaddedK + 1, c.k));
    args.k = kernel_depth(kernel_, args.logical_k);
    const size_t extra = c.strides ? size_t{kPaddedK} : 0;
    args.lda = c.k + extra;
    args.panel_stride = kPanelColumns * (c.k + extra);
    args.ldc = c.n + (c.strides ? random_.chance(2) ? 16 : 3 : 0);
    args.a = fill_a(c, args);
    args.b = fill_b(c, (panels - 1) * args.panel_stride + kPanelColumns * c.k);
    std::unique_ptr<LargePairList> large_pairs;
    if (c.fill == Fill::window || random_.chance(2)) {
      large_pairs.reset(find_large_pairs(args.b, panels, c.k, args.panel_stride, SIZE_MAX));
      args.large_pairs = &large_pairs->view;
    }
    const bool many_columns = c.n > kernel_.nr && takes_many_columns(kernel_);
    if (random_.chance(2) && !many_columns) args.next = args.b;
    args.next_half = random_.chance(2);
    args.next_lines = random_.chance(2) ? 0 : 1 + random_.bits() % 16;
    args.b_is_far = random_.chance(2);
    args.ask_ahead = random_.chance(3) ? 64 * (1 + random_.bits() % 256) : 0;
    args.one_stream = random_.chance(2);
    args.c_is_far = random_.chance(2);
    args.whole_lines = random_.chance(2);
    if (!random_.chance(4)) args.scratch = scratch_.take(kGemmScratchBytes);
    if (columns < kPanelColumns && random_.chance(2)) args.b += (kPanelColumns - columns) * 4;  // a panel's second half
    if (c.float_output) {
      args.a_scales = reals(a_scales_, c.m, 1e-3f, 2.0f);
      args.b_scales = reals(b_scales_, columns, 1e-3f, 2.0f);
    }
    args.b_column_sums = sum_columns(args, columns);
    if (c.a_zero_points) args.a_zero_points = zero_points_of_a(c);
    if (c.b_zero_points) {
      args.b_zero_points = integers(b_zero_points_, columns, -128, 127);
      args.a_row_sums = integers(a_row_sums_, c.m, 0, 1000000);
    }
    if (c.bias && c.float_output) args.epilogue.bias = reals(bias_, columns, -3e5f, 3e5f);
    if (c.residual && c.float_output) {
      args.epilogue.ld_residual = c.n + (c.strides ? 5 : 0);
      args.epilogue.residual = reals(residual_, (c.m - 1) * args.epilogue.ld_residual + c.n, -10.0f, 10.0f);
    }
    if (c.float_output) args.epilogue.activation = c.activation;
    OutputCodes codes;
    if (c.codes && c.float_output) {
      codes = draw_output_codes(&random_, 1e5f);
      args.epilogue.output = &codes;
    }
    compare(c, &args);
  }

 private:
  Checker(const Kernel<GemmU8S8Fn>& kernel, size_t rows, size_t columns)
      : kernel_(kernel),
        a_(rows * (kDeepK + kPaddedK)),
        b_(round_up(columns, kPanelColumns) * (kDeepK + kPaddedK)),
        c_(rows * (columns + 16) + kMostBehind),
        codes_(rows * (columns + 16)),
        a_scales_(rows),
        a_zero_points_(rows),
        a_row_sums_(rows),
        b_scales_(round_up(columns, kPanelColumns)),
        b_column_sums_(round_up(columns, kPanelColumns)),
        b_zero_points_(round_up(columns, kPanelColumns)),
        bias_(round_up(columns, kPanelColumns)),
        residual_(rows * (columns + 5)),
        scratch_(kGemmScratchBytes) {}

  // Codes of rows whose zero point lies in the middle of them, as that of most layers does; a few lie far off.
  static int64_t lowest_of_row(const Case& c, size_t row) {
    return c.a_zero_points ? static_cast<int64_t>(row * 37 % 66) : 0;
  }

  const int32_t* zero_points_of_a(const Case& c) {
    if (c.fill != Fill::window) return integers(a_zero_points_, c.m, 0, 255);
    int32_t* values = a_zero_points_.take(c.m);
    for (size_t i = 0; i < c.m; ++i) values[i] = static_cast<int32_t>(lowest_of_row(c, i) + 95);
    return values;
  }

  const uint8_t* fill_a(const Case& c, const GemmU8S8Args& args) {
    const size_t count = (c.m - 1) * args.lda + c.k;
    uint8_t* a = a_.take(count);
    constexpr uint8_t kLargest[] = {255, 254, 200, 130, 129, 128};
    const uint8_t largest = kLargest[random_.bits() % std::size(kLargest)];
    for (size_t i = 0; i < count; ++i) {
      if (c.fill == Fill::window) {
        const int64_t near = lowest_of_row(c, i / args.lda) + random_.integer(random_.chance(8) ? 0 : 150, 190);
        a[i] = static_cast<uint8_t>(random_.chance(40) ? random_.bits() : static_cast<uint64_t>(near));
      }
      if (c.fill == Fill::random || c.fill == Fill::bell || c.fill == Fill::late)
        a[i] = static_cast<uint8_t>(random_.bits());
      if (c.fill == Fill::corners) a[i] = random_.chance(3) ? 0 : 255;
      // The largest one decides what sums of weights are too large for 16 bits: the same for all.
      if (c.fill == Fill::halves)
        a[i] = random_.chance(8) ? static_cast<uint8_t>(random_.integer(0, largest)) : largest;
      if (c.fill == Fill::largest || c.fill == Fill::smallest) a[i] = 255;
    }
    for (size_t row = 0; row < c.m; ++row) {
      std::fill(a + row * args.lda + args.logical_k, a + row * args.lda + c.k, uint8_t{0});
    }
    return a;
  }

  const int8_t* fill_b(const Case& c, size_t count) {
    int8_t* b = b_.take(count);
    for (size_t i = 0; i < count; ++i) {
      if (c.fill == Fill::random) b[i] = static_cast<int8_t>(random_.bits());
      // The sum of six: as weights are, few are large, so few pairs of them have a large sum. `late`: at first.
      const bool later = c.fill == Fill::late && i % (kPanelColumns * c.k) / kPanelColumns >= kMaxK;
      if (later) b[i] = static_cast<int8_t>(random_.chance(2) ? 127 : -128);
      if (c.fill == Fill::bell || c.fill == Fill::window || (c.fill == Fill::late && !later)) {
        uint64_t bits = random_.bits();
        int sum = -26 * 6;
        for (int term = 0; term < 6; ++term, bits >>= 10) sum += static_cast<int>((bits & 1023) * 53 >> 10);
        b[i] = static_cast<int8_t>(std::clamp(sum, -128, 127));
      }
      // Some steps of k whose sums are just small enough to be added to another's in 16 bits, and some that are not.
      if (c.fill == Fill::halves) {
        constexpr int8_t kSizes[] = {63, 64, 65, 126, 127};
        const int8_t size = random_.chance(32) ? kSizes[random_.bits() % std::size(kSizes)] : random_.chance(8) ? 1 : 0;
        b[i] = static_cast<int8_t>(random_.chance(2) ? size : -size);
      }
      if (c.fill == Fill::corners)
        b[i] = static_cast<int8_t>(random_.chance(2) ? 127 : random_.chance(2) ? -128 : -127);
      if (c.fill == Fill::largest) b[i] = 127;
      if (c.fill == Fill::smallest) b[i] = -128;
    }
    return b;
  }

  // The true sums: kernels whose instruction wants signed activations rely on them.
  const int32_t* sum_columns(const GemmU8S8Args& args, size_t columns) {
    int32_t* sums = b_column_sums_.take(columns);
    std::fill(sums, sums + columns, 0);
    for (size_t panel = 0; panel * kPanelColumns < args.n; ++panel) {
      const int8_t* b = args.b + panel * args.panel_stride;
      const size_t first = panel * kPanelColumns, valid = std::min(args.n - first, size_t{kPanelColumns});
      for (size_t step = 0; step < args.k / 4; ++step, b += 4 * kPanelColumns) {
        for (size_t j = 0; j < valid; ++j) sums[first + j] += b[4 * j] + b[4 * j + 1] + b[4 * j + 2] + b[4 * j + 3];
      }
    }
    return sums;
  }

  const float* reals(Guarded<float>& memory, size_t count, float lo, float hi) {
    float* values = memory.take(count);
    for (size_t i = 0; i < count; ++i) values[i] = random_.real(lo, hi);
    return values;
  }

  const int32_t* integers(Guarded<int32_t>& memory, size_t count, int32_t lo, int32_t hi) {
    int32_t* values = memory.take(count);
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<int32_t>(random_.integer(lo, hi));
    return values;
  }

  void compare(const Case& c, GemmU8S8Args* args) {
    if (args->epilogue.output != nullptr) return compare_codes(c, args);
    constexpr uint32_t kUntouched = 0x7fedcba9;
    // With some values behind that stay as they are, so that c begins anywhere in a cache line.
    const size_t count = (c.m - 1) * args->ldc + c.n + (random_.chance(2) ? random_.bits() % (kMostBehind + 1) : 0);
    std::vector<uint32_t> expected(count, kUntouched);
    uint32_t* actual = c_.take(count);
    for (size_t i = 0; i < count; ++i) actual[i] = kUntouched;
    args->c = actual;
    kernel_.run(args);
    GemmU8S8Args oracle = *args;
    oracle.c = expected.data();
    reference::gemm_u8s8(oracle);
    EXPECT(c_.intact(), "%s wrote before c", kernel_.name);
    for (size_t i = 0; i < count; ++i) {
      float x, y;
      std::memcpy(&x, &actual[i], sizeof x);
      std::memcpy(&y, &expected[i], sizeof y);
      const bool equal = actual[i] == expected[i] || (c.float_output && same(x, y));
      EXPECT(equal, "%s m=%zu n=%zu k=%zu fill=%d f32=%d za=%d zb=%d act=%u: c[%zu, %zu] is %08x, oracle %08x",
             kernel_.name, c.m, c.n, c.k, static_cast<int>(c.fill), c.float_output, c.a_zero_points, c.b_zero_points,
             static_cast<uint32_t>(c.activation), i / args->ldc, i % args->ldc, actual[i], expected[i]);
      if (!equal) return;
    }
  }

  void compare_codes(const Case& c, GemmU8S8Args* args) {
    const size_t count = (c.m - 1) * args->ldc + c.n;
    std::vector<uint8_t> expected(count, 0x5a);
    uint8_t* actual = codes_.take(count);
    for (size_t i = 0; i < count; ++i) actual[i] = 0x5a;
    args->c = actual;
    kernel_.run(args);
    GemmU8S8Args oracle = *args;
    oracle.c = expected.data();
    reference::gemm_u8s8(oracle);
    EXPECT(codes_.intact(), "%s wrote before its codes", kernel_.name);
    for (size_t i = 0; i < count; ++i) {
      EXPECT(actual[i] == expected[i], "%s m=%zu n=%zu k=%zu act=%u: code [%zu, %zu] is %u, oracle %u", kernel_.name,
             c.m, c.n, c.k, static_cast<uint32_t>(c.activation), i / args->ldc, i % args->ldc, actual[i], expected[i]);
      if (actual[i] != expected[i]) return;
    }
  }

  static constexpr size_t kMostBehind = 15;

  const Kernel<GemmU8S8Fn>& kernel_;
  Guarded<uint8_t> a_;
  Guarded<int8_t> b_;
  Guarded<uint32_t> c_;
  Guarded<uint8_t> codes_;
  Guarded<float> a_scales_;
  Guarded<int32_t> a_zero_points_, a_row_sums_;
  Guarded<float> b_scales_;
  Guarded<int32_t> b_column_sums_, b_zero_points_;
  Guarded<float> bias_, residual_;
  Guarded<uint8_t> scratch_;
  Random random_;
};

}  // namespace

void check_gemm_u8s8(const Kernel<GemmU8S8Fn>& kernel) {
  Checker checker(kernel);
  Random random(1);
  const auto any = [&](Fill fill, size_t m, size_t n, size_t k) {
    return Case{m,
                n,
                k,
                fill,
                !random.chance(4),
                !random.chance(3),
                random.chance(2),
                random.chance(2),
                random.chance(2),
                random.chance(2),
                random.chance(3),
                kActivations[random.bits() % std::size(kActivations)]};
  };
  const auto check_depths = [&](size_t m, size_t n) {
    for (size_t k = 0; k <= kMaxK; k += kPaddedK) {
      if (slow_cpu() && !random.chance(4)) continue;
      for (const Fill fill : {Fill::random, Fill::corners, Fill::bell, Fill::window}) checker.check(any(fill, m, n, k));
    }
  };
  // Every tile size, with everything else drawn at random; of large tiles, every m up to some registers and some
  // beyond, and every n up to four panels and some beyond.
  if (kernel.mr * kernel.nr <= kManyTiles) {
    for (size_t m = 1; m <= kernel.mr; ++m) {
      for (size_t n = 1; n <= kernel.nr; ++n) check_depths(m, n);
    }
  } else {
    for (size_t m = 1; m <= kernel.mr; ++m) {
      if (m <= 72 || random.chance(32)) check_depths(m, random.integer(1, kernel.nr));
    }
    for (size_t n = 1; n <= kernel.nr; ++n) {
      if (n <= 4 * kPanelColumns || random.chance(4)) check_depths(random.integer(1, kernel.mr), n);
    }
  }
  for (int i = 0; i < 8; ++i) {
    for (const Fill fill :
         {Fill::random, Fill::corners, Fill::bell, Fill::window, Fill::late, Fill::largest, Fill::smallest}) {
      const size_t k = random.integer(kMaxK / kPaddedK + 1, kDeepK / kPaddedK) * kPaddedK;
      checker.check(any(fill, random.integer(1, kernel.mr), random.integer(1, kernel.nr), k));
    }
  }
  if (takes_many_columns(kernel)) {
    for (int i = 0; i < (slow_cpu() ? 40 : 400); ++i) {
      const size_t k = random.integer(1, 5) * kPaddedK;
      checker.check(any(Fill::random, random.integer(1, kernel.mr), random.integer(1, most_columns(kernel)), k));
    }
  }
  if (takes_blocks(kernel)) {
    const int tries = packs_rows(kernel) ? 40 : 400;
    for (int i = 0; i < (slow_cpu() ? tries / 10 : tries); ++i) {
      const size_t k = random.integer(1, random.chance(8) ? kDeepK / kPaddedK : 5) * kPaddedK;
      checker.check(
          any(Fill::random, random.integer(1, most_rows(kernel)), random.integer(1, most_columns(kernel)), k));
    }
    if (packs_rows(kernel)) {
      for (int i = 0; i < (slow_cpu() ? 6 : 60); ++i) {
        const size_t k = random.integer(1, kDeepK / kPaddedK) * kPaddedK;
        checker.check(
            any(Fill::halves, random.integer(64, most_rows(kernel)), random.integer(1, 3 * kPanelColumns), k));
      }
    }
    // Sums that wait in memory for the next steps of k, with every column group full and ragged.
    for (const size_t n : {most_columns(kernel), most_columns(kernel) - 17}) {
      checker.check(any(Fill::random, most_rows(kernel), n, kDeepK));
    }
  }
  // Sums at their extremes, and every combination of what an epilogue may have, at full and ragged tiles; of large ones
  // at some rows.
  const size_t some_rows = packs_rows(kernel) ? 43 : std::min<size_t>(kernel.mr, 16);
  for (const size_t n : {size_t{1}, kernel.nr / 2 + 1, kernel.nr - 1, kernel.nr}) {
    checker.check(any(Fill::largest, kernel.mr, n, kMaxK));
    checker.check(any(Fill::smallest, kernel.mr, n, kMaxK));
    for (const Activation activation : kActivations) {
      for (int bits = 0; bits < 128; ++bits) {
        checker.check({some_rows, n, kPaddedK, Fill::random, (bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0,
                       (bits & 8) != 0, (bits & 16) != 0, (bits & 32) != 0, (bits & 64) != 0, activation});
      }
    }
  }
}

}  // namespace test
}  // namespace qgemm
