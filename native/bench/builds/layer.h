#pragma once
#include <stddef.h>

/// What compare_builds calls in a build of the library. Each build is a shared object that compiles layer.cc against
/// its own headers, so that this is all that two builds must have in common.
struct QgemmBenchLayers {
  /// `max_isa` as in QGEMM_MAX_ISA, "" for no ceiling. False, and a sentence in `error`, for a bad one.
  bool (*configure)(const char* max_isa, size_t threads, char* error, size_t error_size);
  /// weights [n, k] in float32, packed as int8 or as they are. Null when there is not enough memory.
  void* (*make)(const float* weights, size_t n, size_t k, bool float32);
  void (*free)(void* layer);
  /// y[m, n] = activation(x . W^T + bias); `activation` by its number in kernels/kernel.h.
  bool (*forward)(void* layer, const float* x, size_t m, const float* bias, unsigned activation, float* y);
};

#define QGEMM_BENCH_LAYERS "qgemm_bench_layers"
extern "C" const QgemmBenchLayers* qgemm_bench_layers();
