// compare_builds BASE NEW THREADS LAYERS ROUNDS PRECISION ACTIVATION ISA MxKxN...
// Two builds of the library in one process, in turn, as one JSON object per line. scripts/bench-builds.mjs makes the
// builds, calls this and prints a table; docs/measuring.md says what is measured.
#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "bench/builds/layer.h"
#include "bench/values.h"

namespace qgemm {
namespace bench {
namespace {

constexpr size_t kBuilds = 2;
constexpr double kSample = 5000;  // µs
constexpr size_t kOffset = 4;     // floats: where node's ArrayBuffers begin behind a cache line

struct Shape {
  size_t m, k, n;
};

struct Setup {
  size_t threads = 1, layers = 1, rounds = 9;
  bool float32 = false;
  unsigned activation = 0;
  std::string max_isa;
};

struct Times {
  std::vector<double> base, changed, ratios;  // µs of a call; ratios within a round
};

[[noreturn]] void fail(const std::string& sentence) {
  std::fprintf(stderr, "compare_builds: %s\n", sentence.c_str());
  std::exit(1);
}

double microseconds() {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 != 0 ? values[half] : (values[half - 1] + values[half]) / 2;
}

const QgemmBenchLayers* load(const char* path, const Setup& setup) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) fail(dlerror());
  using Entry = const QgemmBenchLayers* (*)();
  const auto entry = reinterpret_cast<Entry>(dlsym(library, QGEMM_BENCH_LAYERS));
  if (entry == nullptr) fail(std::string(path) + " is not a build for this program");
  char error[512] = "";
  if (!entry()->configure(setup.max_isa.c_str(), setup.threads, error, sizeof error)) fail(error);
  return entry();
}

// What both builds multiply, and where to.
struct Problem {
  Problem(Shape size, const Setup& setup)
      : shape(size),
        setup(setup),
        weights(normal_values(size.n * size.k, 1)),
        x(normal_values(size.m * size.k + kOffset, 2)),
        bias(normal_values((size.n + 31) / 32 * 32, 3)),
        y(size.m * size.n + kOffset) {}
  const Shape shape;
  const Setup& setup;
  const Array<float> weights, x, bias;
  Array<float> y;
};

// One build's layers, multiplied by in turn.
class Contestant {
 public:
  Contestant(const QgemmBenchLayers* build, const Problem& problem) : build_(build), problem_(problem) {
    for (size_t i = 0; i < problem.setup.layers; ++i) {
      layers_.push_back(build->make(problem.weights.data(), problem.shape.n, problem.shape.k, problem.setup.float32));
      if (layers_.back() == nullptr) fail("not enough memory for the weights");
    }
  }
  Contestant(const Contestant&) = delete;
  ~Contestant() {
    for (void* layer : layers_) build_->free(layer);
  }

  /// Whether one call succeeds. y is NaN before, so that what it leaves out is not what another has left there.
  bool fill() const {
    float* const y = problem_.y.data() + kOffset;
    std::fill_n(y, problem_.shape.m * problem_.shape.n, NAN);
    return call(layers_[0]);
  }

  /// µs of one call, in a mean over all layers `times` times.
  double time(size_t times) const {
    bool succeeded = true;
    const double start = microseconds();
    for (size_t i = 0; i < times; ++i) {
      for (void* layer : layers_) succeeded &= call(layer);
    }
    const double elapsed = microseconds() - start;
    if (!succeeded) fail("a call failed");
    return elapsed / static_cast<double>(times * layers_.size());
  }

 private:
  bool call(void* layer) const {
    const Problem& p = problem_;
    return build_->forward(layer, p.x.data() + kOffset, p.shape.m, p.bias.data(), p.setup.activation,
                           p.y.data() + kOffset);
  }

  const QgemmBenchLayers* build_;
  const Problem& problem_;
  std::vector<void*> layers_;
};

// Rounds with builds[first]'s weights packed before the other's. Whether both results have the same bits.
bool measure(const QgemmBenchLayers* const (&builds)[kBuilds], size_t first, Problem* problem, Times* times) {
  const Contestant before(builds[first], *problem), after(builds[1 - first], *problem);
  const Contestant& base = first == 0 ? before : after;
  const Contestant& changed = first == 0 ? after : before;
  const size_t outputs = problem->shape.m * problem->shape.n;
  const float* const y = problem->y.data() + kOffset;
  if (!base.fill()) fail("a call of the base failed");
  const std::vector<float> expected(y, y + outputs);
  if (!changed.fill()) fail("a call of the new build failed");
  const bool same = std::memcmp(expected.data(), y, outputs * sizeof(float)) == 0;
  if (std::any_of(y, y + outputs, [](float value) { return std::isnan(value); })) fail("results are missing");
  base.time(1);
  const double once = std::max(changed.time(1), 0.01);
  const auto layers = static_cast<double>(problem->setup.layers);
  const auto calls = static_cast<size_t>(std::max(1.0, kSample / (once * layers)));
  for (size_t round = 0; round < problem->setup.rounds; ++round) {
    double base_us, changed_us;
    if (round % 2 == 0) {
      base_us = base.time(calls);
      changed_us = changed.time(calls);
    } else {
      changed_us = changed.time(calls);
      base_us = base.time(calls);
    }
    times->base.push_back(base_us);
    times->changed.push_back(changed_us);
    times->ratios.push_back(changed_us / base_us);
  }
  return same;
}

void compare(const QgemmBenchLayers* const (&builds)[kBuilds], Shape shape, const Setup& setup) {
  Problem problem(shape, setup);
  Times orders[kBuilds];
  bool same = true;
  for (size_t first = 0; first < kBuilds; ++first) same &= measure(builds, first, &problem, &orders[first]);
  const auto both = [&](auto&& of) { return std::sqrt(of(orders[0]) * of(orders[1])); };
  const auto best = [&](const std::vector<double> Times::*values) {
    double least = HUGE_VAL;
    for (const Times& order : orders) {
      least = std::min(least, *std::min_element((order.*values).begin(), (order.*values).end()));
    }
    return least;
  };
  std::printf(
      "{\"m\":%zu,\"k\":%zu,\"n\":%zu,\"base\":%.4g,\"baseBest\":%.4g,\"new\":%.4g,\"newBest\":%.4g,"
      "\"ratio\":%.4f,\"ratios\":[%.4f,%.4f],\"same\":%s}\n",
      shape.m, shape.k, shape.n, both([](const Times& t) { return median(t.base); }), best(&Times::base),
      both([](const Times& t) { return median(t.changed); }), best(&Times::changed),
      both([](const Times& t) { return median(t.ratios); }), median(orders[0].ratios), median(orders[1].ratios),
      same ? "true" : "false");
  std::fflush(stdout);
}

}  // namespace
}  // namespace bench
}  // namespace qgemm

int main(int argc, char** argv) {
  using namespace qgemm::bench;
  constexpr int kFixed = 9;
  if (argc <= kFixed) fail("called by scripts/bench-builds.mjs");
  Setup setup;
  setup.threads = std::strtoul(argv[3], nullptr, 10);
  setup.layers = std::strtoul(argv[4], nullptr, 10);
  setup.rounds = std::strtoul(argv[5], nullptr, 10);
  setup.float32 = std::strcmp(argv[6], "float32") == 0;
  setup.activation = static_cast<unsigned>(std::strtoul(argv[7], nullptr, 10));
  setup.max_isa = argv[8];
  const QgemmBenchLayers* const builds[kBuilds] = {load(argv[1], setup), load(argv[2], setup)};
  for (int i = kFixed; i < argc; ++i) {
    Shape shape;
    if (std::sscanf(argv[i], "%zux%zux%zu", &shape.m, &shape.k, &shape.n) != 3) fail("shapes are MxKxN");
    compare(builds, shape, setup);
  }
  return 0;
}
