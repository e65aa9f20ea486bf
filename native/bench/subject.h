#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace qgemm {
namespace bench {

/// Sizes of one measurement: m rows, k deep, n columns; m = 0 stands for the rows of a kernel's tile.
struct Shape {
  size_t m, k, n;
};

/// One kernel at one size: what is timed, how much work that is, and whether its result is the oracle's.
struct Subject {
  virtual ~Subject() = default;
  /// One sweep over the whole size, as the driver makes it on one thread.
  virtual void run() = 0;
  /// Runs, and compares with core/reference: bits, not tolerances.
  virtual bool check() = 0;

  std::string kernel;
  Shape shape = {0, 0, 0};
  const char* instruction = "";   // what its peak is measured with; "" where there is none
  double operations = 0;          // two per multiply-add; 0 for kernels that do not multiply
  double bytes = 0;               // weights of a GEMM kernel; for others, what is read and written
  const void* weights = nullptr;  // null for kernels without weights
};
using Subjects = std::vector<std::unique_ptr<Subject>>;

/// Whether the command line asks for this kernel.
struct Selection {
  std::string filter;
  std::vector<Shape> shapes;  // empty: the defaults of each operation
  bool wants(const char* kernel) const { return std::string(kernel).find(filter) != std::string::npos; }
};

/// The kernels that this CPU can run and the selection wants, at every shape. Throws std::bad_alloc.
void add_gemm_subjects(const Selection& selection, Subjects* subjects);
void add_row_subjects(const Selection& selection, Subjects* subjects);

}  // namespace bench
}  // namespace qgemm
