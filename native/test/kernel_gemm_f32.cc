#include <algorithm>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/gemm_f32.h"
#include "core/reference.h"
#include "test/guarded.h"
#include "test/kernel_checks.h"

namespace qgemm {
namespace test {
namespace {

constexpr size_t kMaxK = 70;

struct Case {
  size_t m, n, k;
  bool bias, residual, strides, specials;
  Activation activation;
};

class Checker {
 public:
  explicit Checker(const Kernel<GemmF32Fn>& kernel)
      : kernel_(kernel),
        codes_(kernel.mr * (kernel.nr + 3)),
        a_(kernel.mr * (kMaxK + 7)),
        b_(round_up(kernel.nr, kPanelColumns) * (kMaxK + 1)),
        c_(kernel.mr * (kernel.nr + 3)),
        bias_(round_up(kernel.nr, kPanelColumns)),
        sums_(kernel.mr * kPanelColumns),
        residual_(kernel.mr * (kernel.nr + 5)) {}

  void check(const Case& c) {
    const size_t columns = column_values(c.n, kernel_.nr);
    const size_t panels = round_up(c.n, kPanelColumns) / kPanelColumns;
    GemmF32Args args{};
    args.m = c.m;
    args.n = c.n;
    args.k = c.k;
    args.lda = c.strides ? kernel_.mr : c.m;
    args.row_stride = 1;
    size_t values = (c.k - 1) * args.lda + c.m;
    if (can_take_rows(kernel_) && random_.chance(2)) {
      args.lda = 1;
      args.row_stride = c.k + (c.strides ? 7 : 0);
      values = (c.m - 1) * args.row_stride + c.k;
    }
    args.panel_stride = kPanelColumns * (c.k + (c.strides ? 1 : 0));
    args.ldc = c.n + (c.strides ? 3 : 0);
    args.a = reals(a_, values, c.specials);
    args.b = reals(b_, (panels - 1) * args.panel_stride + kPanelColumns * c.k, c.specials);
    if (columns < kPanelColumns && random_.chance(2)) args.b += (kPanelColumns - columns);  // a panel's second half
    if (c.bias) args.epilogue.bias = reals(bias_, columns, false);
    if (c.residual) {
      args.epilogue.ld_residual = c.n + (c.strides ? 5 : 0);
      args.epilogue.residual = reals(residual_, (c.m - 1) * args.epilogue.ld_residual + c.n, false);
    }
    args.epilogue.activation = c.activation;
    compare(c, &args);
    const OutputCodes codes = draw_output_codes(&random_, 4.0f);
    args.epilogue.output = &codes;
    if (random_.chance(3)) compare_codes(c, &args);
  }

 private:
  const float* reals(Guarded<float>& memory, size_t count, bool specials) {
    constexpr float kSpecials[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-40f, -3e38f};
    float* values = memory.take(count);
    for (size_t i = 0; i < count; ++i) {
      values[i] = random_.real(-2.0f, 2.0f);
      if (specials && random_.chance(50)) values[i] = kSpecials[random_.bits() % std::size(kSpecials)];
    }
    return values;
  }

  // A kernel that can pause does, now and then, and asks for what may lie anywhere.
  void run(GemmF32Args args) {
    args.ask_ahead = random_.chance(2);
    args.b_is_far = random_.chance(3);
    if (!can_pause(kernel_) || args.n <= kPanelColumns / 2 || random_.chance(2)) return kernel_.run(&args);
    const size_t depth = args.k;
    args.sums = sums_.take(args.m * kPanelColumns);
    for (size_t k = 0; k < depth; k += args.k) {
      args.k = std::min(depth - k, 1 + random_.bits() % depth);
      args.resume = k != 0;
      args.pause = k + args.k != depth;
      args.next = random_.chance(2) ? reinterpret_cast<const char*>(args.b) : nullptr;
      args.next_all = random_.chance(2);
      args.next_quarter = random_.bits() % (size_t{1} << 40);
      kernel_.run(&args);
      args.a += args.k * args.lda;
      args.b += args.k * kPanelColumns;
    }
    EXPECT(sums_.intact(), "%s wrote before the sums", kernel_.name);
  }

  void compare(const Case& c, GemmF32Args* args) {
    constexpr float kUntouched = -12345.678f;
    const size_t count = (c.m - 1) * args->ldc + c.n;
    std::vector<float> expected(count, kUntouched);
    float* actual = c_.take(count);
    std::fill(actual, actual + count, kUntouched);
    args->c = actual;
    run(*args);
    GemmF32Args oracle = *args;
    oracle.c = expected.data();
    reference::gemm_f32(oracle);
    EXPECT(c_.intact(), "%s wrote before c", kernel_.name);
    for (size_t i = 0; i < count; ++i) {
      const bool equal = same(actual[i], expected[i]);
      EXPECT(equal, "%s m=%zu n=%zu k=%zu act=%u: c[%zu, %zu] is %.9g, oracle %.9g", kernel_.name, c.m, c.n, c.k,
             static_cast<uint32_t>(c.activation), i / args->ldc, i % args->ldc, actual[i], expected[i]);
      if (!equal) return;
    }
  }

  void compare_codes(const Case& c, GemmF32Args* args) {
    const size_t count = (c.m - 1) * args->ldc + c.n;
    std::vector<uint8_t> expected(count, 0x5a);
    uint8_t* actual = codes_.take(count);
    std::fill(actual, actual + count, static_cast<uint8_t>(0x5a));
    args->c = actual;
    run(*args);
    GemmF32Args oracle = *args;
    oracle.c = expected.data();
    reference::gemm_f32(oracle);
    EXPECT(codes_.intact() && std::equal(actual, actual + count, expected.begin()),
           "%s m=%zu n=%zu k=%zu act=%u: codes differ from the oracle's", kernel_.name, c.m, c.n, c.k,
           static_cast<uint32_t>(c.activation));
  }

  const Kernel<GemmF32Fn>& kernel_;
  Guarded<uint8_t> codes_;
  Guarded<float> a_, b_, c_, bias_, sums_, residual_;
  Random random_;
};

}  // namespace

void check_gemm_f32(const Kernel<GemmF32Fn>& kernel) {
  Checker checker(kernel);
  Random random(2);
  const auto any = [&](size_t m, size_t n, size_t k) {
    return Case{m,
                n,
                k,
                random.chance(2),
                random.chance(2),
                random.chance(2),
                random.chance(4),
                kActivations[random.bits() % std::size(kActivations)]};
  };
  for (size_t m = 1; m <= kernel.mr; ++m) {
    for (size_t n = 1; n <= kernel.nr; ++n) {
      for (const size_t k : {1, 2, 3, 4, 5, 7, 8, 17, 64, 70}) {
        if (slow_cpu() && !random.chance(4)) continue;
        checker.check(any(m, n, k));
      }
    }
  }
  for (const size_t n : {size_t{1}, kernel.nr / 2 + 1, kernel.nr - 1, kernel.nr}) {
    for (const Activation activation : kActivations) {
      for (int bits = 0; bits < 16; ++bits) {
        checker.check(
            {kernel.mr, n, 9, (bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0, activation});
      }
    }
  }
}

}  // namespace test
}  // namespace qgemm
