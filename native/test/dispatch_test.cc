// Which kernel runs, for CPUs that this machine is not: selection is a pure function of the feature set.
#include "core/dispatch.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "core/cpu.h"
#include "test/harness.h"

namespace qgemm {
namespace test {
namespace {

struct Cpu {
  const char* name;
  uint32_t features;
};

// Feature sets as vendors ship them.
constexpr Cpu kCpus[] = {
    {"Nehalem", kScalar},
    {"Haswell", kAvx2},
    {"Alder Lake", kAvx2 | kAvxVnni},
    {"Skylake-SP", kAvx2 | kAvx512},
    {"Ice Lake, Zen 4", kAvx2 | kAvx512 | kAvx512Vnni},
    {"Zen 5", kAvx2 | kAvxVnni | kAvx512 | kAvx512Vnni},
    {"Sapphire Rapids", kAvx2 | kAvxVnni | kAvx512 | kAvx512Vnni | kAmxInt8},
};

DispatchConfig config_of(uint32_t features) {
  DispatchConfig config;
  config.features = features;
  return config;
}

bool contains(uint32_t features, uint32_t needed) { return (features & needed) == needed; }

QGEMM_TEST(a_kernel_never_needs_what_the_cpu_lacks) {
  for (const Cpu& cpu : kCpus) {
    const DispatchConfig config = config_of(cpu.features);
    for (size_t m = 1; m <= 40; ++m) {
      const auto& int8 = choose_gemm_u8s8f32(config, m);
      const auto& float32 = choose_gemm_f32(config, m);
      EXPECT(contains(cpu.features, int8.features), "%s m=%zu: %s", cpu.name, m, int8.name);
      EXPECT(contains(cpu.features, float32.features), "%s m=%zu: %s", cpu.name, m, float32.name);
    }
    const auto& row = choose_quantize_row(config);
    EXPECT(contains(cpu.features, row.features), "%s: %s", cpu.name, row.name);
  }
}

#if defined(__x86_64__)
const Kernel<GemmU8S8Fn>& first_of(const char* isa) {
  const KernelList<GemmU8S8Fn> kernels = gemm_u8s8f32_kernels();
  return *std::find_if(kernels.begin(), kernels.end(),
                       [&](const auto& kernel) { return strcmp(kernel.isa, isa) == 0; });
}

QGEMM_TEST(the_best_instructions_of_each_cpu_are_used) {
  const char* expected[] = {"scalar", "avx2", "avxvnni", "avx2", "avx512vnni", "avx512vnni", "amxint8"};
  for (size_t i = 0; i < std::size(kCpus); ++i) {
    const DispatchConfig config = config_of(kCpus[i].features);
    const char* isa = choose_gemm_u8s8f32(config, 64).isa;
    // Not every ISA has an int8 kernel: Skylake-SP runs AVX2's, or AVX-512's where there is one.
    const bool fits = std::strcmp(isa, expected[i]) == 0 || (i == 3 && std::strcmp(isa, "avx512") == 0);
    EXPECT(fits, "%s: %s, expected %s", kCpus[i].name, isa, expected[i]);
    EXPECT(std::strcmp(best_isa(config), isa) == 0, "%s: best_isa says %s", kCpus[i].name, best_isa(config));
  }
}

QGEMM_TEST(every_number_of_rows_stays_with_its_isa) {
  for (const Cpu& cpu : kCpus) {
    const DispatchConfig config = config_of(cpu.features);
    if ((cpu.features & kAmxInt8) != 0) continue;
    for (size_t m = 1; m <= 300; ++m) {
      const auto& kernel = choose_gemm_u8s8f32(config, m);
      EXPECT(std::strcmp(kernel.isa, best_isa(config)) == 0, "%s m=%zu: %s", cpu.name, m, kernel.name);
    }
  }
}

QGEMM_TEST(one_and_two_rows_are_left_to_the_vector_units) {
  const DispatchConfig config = config_of(kAvx2 | kAvxVnni | kAvx512 | kAvx512Vnni | kAmxInt8);
  EXPECT(std::strcmp(choose_gemm_u8s8f32(config, 1).isa, "avx512vnni") == 0, "%s", choose_gemm_u8s8f32(config, 1).name);
  EXPECT(choose_gemm_u8s8f32(config, 1).mr == 1, "%s", choose_gemm_u8s8f32(config, 1).name);
  EXPECT(std::strcmp(choose_gemm_u8s8f32(config, 2).isa, "avx512vnni") == 0, "%s", choose_gemm_u8s8f32(config, 2).name);
  EXPECT(std::strcmp(choose_gemm_u8s8f32(config, 3).isa, "amxint8") == 0, "%s", choose_gemm_u8s8f32(config, 3).name);
}

QGEMM_TEST(far_weights_are_read_as_one_stream) {
  const DispatchConfig config = config_of(kAvx2 | kAvx512 | kAvx512Vnni);
  EXPECT(choose_gemm_u8s8f32(config, 1, Weights::near).nr > 32, "%s", choose_gemm_u8s8f32(config, 1).name);
  for (size_t m = 1; m <= 64; ++m) {
    const auto& kernel = choose_gemm_u8s8f32(config, m, Weights::far);
    EXPECT(kernel.nr == kPanelColumns && kernel.mr >= std::min<size_t>(m, 8), "m=%zu: %s", m, kernel.name);
  }
  for (const Cpu& cpu : kCpus) {
    for (size_t m = 1; m <= 40; ++m) {
      const auto& near = choose_gemm_f32(config_of(cpu.features), m, Weights::near);
      const auto& far = choose_gemm_f32(config_of(cpu.features), m, Weights::far);
      EXPECT(near.mr == far.mr, "rows are packed for either: %s, %s", near.name, far.name);
      EXPECT(far.nr <= near.nr, "%s, %s", near.name, far.name);
    }
  }
}

QGEMM_TEST(weights_that_are_asked_for_are_read_once_by_up_to_fourteen_rows) {
  for (const Cpu& cpu : kCpus) {
    const DispatchConfig config = config_of(cpu.features);
    for (size_t m = 1; m <= 40; ++m) {
      const auto& near = choose_gemm_u8s8f32(config, m, Weights::near);
      const auto& asked = choose_gemm_u8s8f32(config, m, Weights::asked_for);
      EXPECT(near.mr != 14, "%s m=%zu: %s", cpu.name, m, near.name);
      const bool vnni = std::strcmp(near.isa, "avx512vnni") == 0;
      if (vnni && m >= 5 && m <= 16 && m != 7 && m != 8) {
        EXPECT(asked.mr == (m >= 9 && m <= 14 ? 14 : 8), "%s m=%zu: %s", cpu.name, m, asked.name);
      } else {
        EXPECT(&asked == &near, "%s m=%zu: %s, %s", cpu.name, m, asked.name, near.name);
      }
    }
  }
}

QGEMM_TEST(many_rows_have_a_line_of_their_own_unless_weights_are_far) {
  DispatchConfig config = config_of(kAvx2 | kAvx512 | kAvx512Vnni);
  const auto takes_many = [&](size_t m, Weights weights) {
    return std::strcmp(choose_gemm_u8s8f32(config, m, weights).name, "gemm_u8s8f32_24x64c4_avx512vnni") == 0;
  };
  for (size_t m = 1; m <= 300; ++m) {
    EXPECT(!takes_many(m, Weights::far), "m=%zu", m);
    EXPECT(takes_many(m, Weights::asked_for) == (m > 16), "m=%zu", m);
    EXPECT(takes_many(m, Weights::near) == (m > 8 || m == 5 || m == 6), "m=%zu", m);
  }
  config.features |= kAvxVnni | kAmxInt8;
  EXPECT(std::strcmp(choose_gemm_u8s8f32(config, 64).isa, "amxint8") == 0, "%s", choose_gemm_u8s8f32(config, 64).name);
}

QGEMM_TEST(one_row_has_its_own_kernel_where_there_is_one) {
  const DispatchConfig config = config_of(kAvx2 | kAvx512 | kAvx512Vnni);
  EXPECT(choose_gemm_u8s8f32(config, 1).mr == 1, "%s", choose_gemm_u8s8f32(config, 1).name);
  EXPECT(choose_gemm_u8s8f32(config, 64).mr > 1, "%s", choose_gemm_u8s8f32(config, 64).name);
}

QGEMM_TEST(max_isa_is_a_ceiling) {
  const uint32_t all = kAvx2 | kAvxVnni | kAvx512 | kAvx512Vnni;
  const struct {
    const char* max_isa;
    const char* isa;
  } cases[] = {{"scalar", "scalar"},      {"avx2", "avx2"},   {"avxvnni", "avxvnni"}, {"avx512vnni", "avx512vnni"},
               {"amxint8", "avx512vnni"}, {"", "avx512vnni"}, {nullptr, "avx512vnni"}};
  for (const auto& c : cases) {
    DispatchConfig config;
    std::string error;
    bool missing = false;
    EXPECT(read_dispatch_config(all, c.max_isa, nullptr, &config, &error, &missing), "%s: %s", c.max_isa,
           error.c_str());
    EXPECT(std::strcmp(best_isa(config), c.isa) == 0, "QGEMM_MAX_ISA=%s: %s", c.max_isa ? c.max_isa : "(unset)",
           best_isa(config));
    EXPECT((config.features & ~all) == 0, "QGEMM_MAX_ISA=%s adds features", c.max_isa ? c.max_isa : "(unset)");
  }
}

QGEMM_TEST(a_demanded_kernel_runs_whatever_m_is) {
  DispatchConfig config;
  std::string error;
  bool missing = false;
  const char* name = first_of("avx2").name;
  EXPECT(read_dispatch_config(kAvx2 | kAvx512 | kAvx512Vnni, nullptr, name, &config, &error, &missing), "%s",
         error.c_str());
  for (const size_t m : {1, 4, 64}) {
    EXPECT(std::strcmp(choose_gemm_u8s8f32(config, m).name, name) == 0, "m=%zu: %s", m,
           choose_gemm_u8s8f32(config, m).name);
  }
  EXPECT(std::strcmp(choose_gemm_f32(config, 64).isa, "avx512") == 0, "another operation: %s",
         choose_gemm_f32(config, 64).name);
}

QGEMM_TEST(a_demanded_kernel_that_the_cpu_lacks_is_an_error) {
  DispatchConfig config;
  std::string error;
  bool missing = false;
  const char* name = first_of("avx512vnni").name;
  EXPECT(!read_dispatch_config(kAvx2, nullptr, name, &config, &error, &missing), "an absent ISA was accepted");
  EXPECT(missing, "isa_missing is not set");
  EXPECT(error.find("QGEMM_KERNEL") != std::string::npos && error.find(name) != std::string::npos, "message: %s",
         error.c_str());
}
#endif

#if defined(__aarch64__)
QGEMM_TEST(the_best_instructions_of_each_arm_cpu_are_used) {
  const struct {
    const char* name;
    uint32_t features;
    const char* isa;
  } cpus[] = {{"Cortex-A72", kNeon, "neon"},
              {"Neoverse N1", kNeon | kNeonDot, "neondot"},
              {"Neoverse V1", kNeon | kNeonDot | kNeonI8mm, "neoni8mm"}};
  for (const auto& cpu : cpus) {
    for (const size_t m : {1, 64}) {
      const auto& kernel = choose_gemm_u8s8f32(config_of(cpu.features), m);
      EXPECT(std::strcmp(kernel.isa, cpu.isa) == 0, "%s m=%zu: %s", cpu.name, m, kernel.name);
    }
  }
}
#endif

QGEMM_TEST(unknown_values_are_errors_that_name_them) {
  const struct {
    const char *max_isa, *kernel, *variable, *value;
  } cases[] = {{"avx3", nullptr, "QGEMM_MAX_ISA", "avx3"},
               {"AVX2", nullptr, "QGEMM_MAX_ISA", "AVX2"},
               {nullptr, "gemm_fast", "QGEMM_KERNEL", "gemm_fast"}};
  for (const auto& c : cases) {
    DispatchConfig config;
    std::string error;
    bool missing = false;
    EXPECT(!read_dispatch_config(cpu_features(), c.max_isa, c.kernel, &config, &error, &missing), "%s was accepted",
           c.value);
    EXPECT(!missing, "%s counts as an absent ISA", c.value);
    EXPECT(error.find(c.variable) != std::string::npos && error.find(c.value) != std::string::npos, "message: %s",
           error.c_str());
  }
}

QGEMM_TEST(names_are_unique_and_match_their_fields) {
  std::set<std::string> names;
  for (const auto& kernel : gemm_u8s8f32_kernels()) {
    const std::string expected = format("gemm_u8s8f32_%zux%zuc%zu_%s", kernel.mr, kernel.nr, kernel.kr, kernel.isa);
    EXPECT(expected == kernel.name, "%s, expected %s", kernel.name, expected.c_str());
    EXPECT(names.insert(kernel.name).second, "%s is there twice", kernel.name);
  }
  for (const auto& kernel : gemm_f32_kernels()) {
    const std::string expected = format("gemm_f32_%zux%zuc%zu_%s", kernel.mr, kernel.nr, kernel.kr, kernel.isa);
    EXPECT(expected == kernel.name, "%s, expected %s", kernel.name, expected.c_str());
    EXPECT(names.insert(kernel.name).second, "%s is there twice", kernel.name);
  }
  EXPECT(names.size() >= 2, "%zu kernels", names.size());
}

QGEMM_TEST(this_cpu_runs_the_best_it_has) {
  const uint32_t features = cpu_features();
  EXPECT(cpu_features() == features, "detection is not stable");
  const auto& kernel = choose_gemm_u8s8f32(config_of(features), 64);
  EXPECT(contains(features, kernel.features), "%s", kernel.name);
  std::printf("    CPU: %s; best int8 ISA: %s; caches %u %u %u\n", cpu_name().c_str(), best_isa(config_of(features)),
              cpu_caches().l1d, cpu_caches().l2, cpu_caches().l3);
}

}  // namespace
}  // namespace test
}  // namespace qgemm
