#pragma once
#include <cstddef>
#include <string>

#include "bench/subject.h"

namespace qgemm {
namespace bench {

struct Options {
  Selection selection;
  size_t rounds = 15;
  bool json = false, help = false;
};

extern const char kHelp[];

/// Reads the command line. False, and a sentence in `error`, for what kHelp does not name.
[[nodiscard]] bool parse_options(int argc, char** argv, Options* options, std::string* error);

}  // namespace bench
}  // namespace qgemm
