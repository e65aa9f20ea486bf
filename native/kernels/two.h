// Vectors in pairs, and pairs of pairs: what activations.inc works on, so that dependent operations of several vectors
// stand side by side.
#pragma once
#if defined(__GNUC__) && !defined(__clang__)
// A vector as a template argument loses the right to alias other types, which values in registers do not need.
#pragma GCC diagnostic ignored "-Wignored-attributes"
#endif

namespace qgemm {

template <typename T>
struct Two {
  T a, b;
};

}  // namespace qgemm
