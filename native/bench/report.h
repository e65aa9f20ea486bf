#pragma once
#include <string>
#include <vector>

#include "bench/subject.h"

namespace qgemm {
namespace bench {

/// What the rounds gave for one subject, in seconds and GOPS.
struct Samples {
  std::vector<double> seconds;                    // per sweep
  std::vector<std::vector<double>> read_seconds;  // for each variant of the read-only loop; empty without weights
  double peak_gops = 0;                           // best of the register-only loop; 0 where there is none
};

void print_table(const Subjects& subjects, const std::vector<Samples>& samples);
void print_json(const Subjects& subjects, const std::vector<Samples>& samples, size_t rounds);

}  // namespace bench
}  // namespace qgemm
