#include "bench/options.h"

#include <cstdlib>
#include <cstring>

namespace qgemm {
namespace bench {

const char kHelp[] =
    "Usage: kernel_bench [options]\n"
    "\n"
    "Times every kernel of native/kernels/kernels.inc that this CPU can run, alone: one sweep over all columns, on "
    "one\n"
    "thread, weights in the level-2 cache and from far. Every result is compared with the oracle first. In each "
    "round,\n"
    "register-only loops measure the peak of the instruction, and read-only loops how fast the weights can be read.\n"
    "\n"
    "  --kernel TEXT     only kernels whose name contains TEXT\n"
    "  --shape MxKxN     this size instead of the defaults; may be repeated. M = 0 is a kernel's own number of rows.\n"
    "                    Kernels that quantize or pack take a matrix of M rows and K columns.\n"
    "  --rounds N        rounds (default: 15); the slowest kernels do fewer\n"
    "  --json            JSON instead of a table\n"
    "  --help\n";

namespace {

constexpr size_t kMaxSize = size_t{1} << 20;

bool parse_size(const char* text, size_t length, size_t least, size_t* size) {
  *size = 0;
  if (length == 0 || length > 7) return false;
  for (size_t i = 0; i < length; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    *size = *size * 10 + static_cast<size_t>(text[i] - '0');
  }
  return *size >= least && *size <= kMaxSize;
}

bool parse_shape(const char* text, Shape* shape) {
  const char* first = std::strchr(text, 'x');
  const char* second = first == nullptr ? nullptr : std::strchr(first + 1, 'x');
  if (second == nullptr) return false;
  return parse_size(text, static_cast<size_t>(first - text), 0, &shape->m) &&
         parse_size(first + 1, static_cast<size_t>(second - first - 1), 1, &shape->k) &&
         parse_size(second + 1, std::strlen(second + 1), 1, &shape->n);
}

}  // namespace

bool parse_options(int argc, char** argv, Options* options, std::string* error) {
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--json") {
      options->json = true;
    } else if (name == "--help") {
      options->help = true;
    } else if (name != "--kernel" && name != "--shape" && name != "--rounds") {
      *error = "there is no option \"" + name + "\": --help names them";
      return false;
    } else if (i + 1 == argc) {
      *error = name + " needs a value";
      return false;
    } else if (const char* value = argv[++i]; name == "--kernel") {
      options->selection.filter = value;
    } else if (name == "--shape") {
      Shape shape;
      if (!parse_shape(value, &shape)) {
        *error = std::string("--shape must be MxKxN, each up to 1048576, got \"") + value + "\"";
        return false;
      }
      options->selection.shapes.push_back(shape);
    } else if (!parse_size(value, std::strlen(value), 1, &options->rounds)) {
      *error = std::string("--rounds must be a positive integer, got \"") + value + "\"";
      return false;
    }
  }
  return true;
}

}  // namespace bench
}  // namespace qgemm
