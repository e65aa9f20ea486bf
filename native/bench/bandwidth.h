#pragma once
#include <cstddef>

namespace qgemm {
namespace bench {

/// Ways to read memory from end to end: how many streams at once, how far ahead a prefetch goes. Which is fastest
/// differs between CPUs and between cache and memory, so the limit of a kernel is the best of them.
size_t read_variants();
const char* read_variant_name(size_t variant);

/// Seconds that `threads` threads need to read [data, data + bytes) once, each its own part, measured over about
/// `milliseconds` of repetition; with 0 once, as it lies. The calling thread is one of them; the others are kept to
/// other CPUs. Only whole KiB of each part are read: take buffers of many KiB, 64-byte aligned.
double read_seconds(size_t variant, const void* data, size_t bytes, size_t threads, double milliseconds);

}  // namespace bench
}  // namespace qgemm
