// libFuzzer target of what turns bytes of model files into numbers. The first bytes choose the decoder and its
// arguments, the rest is its input, in memory of exactly that size: AddressSanitizer sees every byte read or written
// beside it.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "core/error_stats.h"
#include "core/gguf_blocks.h"
#include "core/wire_data.h"

namespace {

using Bytes = std::unique_ptr<uint8_t[]>;

Bytes copy_of(const uint8_t* data, size_t size) {
  Bytes copy(new uint8_t[size]);
  if (size > 0) std::memcpy(copy.get(), data, size);
  return copy;
}

void fuzz_varints(uint8_t argument, const uint8_t* data, size_t size) {
  const size_t element_bytes = size_t{1} << (argument & 3);
  const size_t count = argument >> 2;
  const Bytes out(new uint8_t[count * element_bytes]);
  const qgemm::VarintRun run = qgemm::decode_varints(data, size, element_bytes, count, out.get());
  if (run.consumed > size || run.decoded > count || run.consumed < run.decoded) std::abort();
}

void fuzz_nibbles(uint8_t argument, const uint8_t* data, size_t size) {
  const size_t count = size * 2 - (size > 0 && (argument & 2) != 0);
  const Bytes out(new uint8_t[count]);
  qgemm::unpack_nibbles(data, count, (argument & 1) != 0, out.get());
}

void fuzz_blocks(uint8_t argument, const uint8_t* data, size_t size) {
  static const char* const kFormats[] = {"Q4_0",    "Q4_1",   "Q5_0",  "Q5_1",  "Q8_0",  "Q2_K",   "Q3_K",    "Q4_K",
                                         "Q5_K",    "Q6_K",   "Q8_K",  "TQ1_0", "TQ2_0", "MXFP4",  "NVFP4",   "IQ1_S",
                                         "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ1_M", "IQ3_S", "IQ4_NL", "IQ3_XXS", "IQ4_XS"};
  const qgemm::BlockFormat* format = qgemm::find_block_format(kFormats[argument % 24]);
  if (format == nullptr || size < format->bytes) return;
  const size_t values = size / format->bytes * format->elements;
  const size_t first = argument % format->elements;
  const size_t count = values - first;
  const Bytes blocks = copy_of(data, size / format->bytes * format->bytes);
  const Bytes out(new uint8_t[count * 4]);
  qgemm::dequantize_blocks(*format, blocks.get(), first, count, out.get());
}

void fuzz_stats(const uint8_t* data, size_t size) {
  const size_t count = size / 8;
  const std::unique_ptr<float[]> values(new float[2 * count]);
  if (count > 0) std::memcpy(values.get(), data, 8 * count);
  qgemm::ErrorStats stats = {};
  qgemm::accumulate_errors(values.get(), values.get() + count, count, &stats);
  double counted = stats.special;
  for (const double bin : stats.errors.bins) counted += bin;
  if (counted != static_cast<double>(count)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const uint8_t decoder = data[0] & 3, argument = data[1];
  const Bytes input = copy_of(data + 2, size - 2);
  if (decoder == 0) fuzz_varints(argument, input.get(), size - 2);
  if (decoder == 1) fuzz_nibbles(argument, input.get(), size - 2);
  if (decoder == 2) fuzz_blocks(argument, input.get(), size - 2);
  if (decoder == 3) fuzz_stats(input.get(), size - 2);
  return 0;
}
