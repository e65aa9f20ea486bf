// `kernel_test NAME`: one line of kernels.inc against the oracle. ctest runs one process per line, so that a kernel
// that reads beyond its buffers brings down its own test only. `kernel_test --list` names the kernels of this binary.
#include <cstring>

#include "core/cpu.h"
#include "core/dispatch.h"
#include "test/emulator.h"
#include "test/kernel_checks.h"

namespace qgemm {
namespace test {
namespace {

std::string wanted;
uint32_t available = 0;  // features of the CPU and those that are emulated
bool found = false, runnable = false;

template <typename Fn>
void check_list(const KernelList<Fn>& kernels, void (*direct)(const Kernel<Fn>&), void (*driver)(const Kernel<Fn>&)) {
  for (const Kernel<Fn>& kernel : kernels) {
    if (wanted == "--list") std::printf("%s\n", kernel.name);
    if (wanted != kernel.name) continue;
    found = true;
    runnable = (available & kernel.features) == kernel.features;
    if (!runnable) {
      std::printf("not run on this CPU: %s needs %s\n", kernel.name, kernel.isa);
      return;
    }
    if ((cpu_features() & kernel.features) != kernel.features) set_slow_cpu();  // instructions trap into the emulator
    direct(kernel);
    if (driver != nullptr) driver(kernel);
  }
}

QGEMM_TEST(kernel) {
  check_list(gemm_u8s8f32_kernels(), check_gemm_u8s8, check_driver_u8s8);
  check_list(gemm_f32_kernels(), check_gemm_f32, check_driver_f32);
  check_list<QuantizeRowFn>(quantize_row_kernels(), check_quantize_row, nullptr);
  check_list<MinMaxFn>(minmax_kernels(), check_minmax, nullptr);
  check_list<QuantizeFn>(quantize_kernels(), check_quantize, nullptr);
  check_list<DequantizeFn>(dequantize_kernels(), check_dequantize, nullptr);
  check_list<PackRowsFn>(pack_rows_kernels(), check_pack_rows, nullptr);
  check_list<QuantizeColumnsFn>(quantize_columns_kernels(), check_quantize_columns, nullptr);
  EXPECT(found || wanted == "--list", "there is no kernel named \"%s\" in this binary", wanted.c_str());
}

}  // namespace

int run_kernel(const char* name) {
  wanted = name;
  available = cpu_features();
  if (!slow_cpu()) available |= install_emulator();  // qemu gives signal handlers no wide registers
  const int status = run_tests("");
  return found && !runnable ? kSkipped : status;
}

}  // namespace test
}  // namespace qgemm

int main(int argc, char** argv) {
  if (argc != 2) {
    std::printf("usage: kernel_test NAME | --list\n");
    return 2;
  }
  return qgemm::test::run_kernel(argv[1]);
}
