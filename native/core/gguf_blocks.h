#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/status.h"

namespace qgemm {

/// A block format of GGUF: `elements` neighbouring values of a row share scales and lie in `bytes` bytes.
struct BlockFormat {
  const char* name;  // as ggml spells it: Q4_K
  size_t elements;   // 32, 64 or 256
  size_t bytes;
  void (*dequantize)(const uint8_t* block, float* out);
};

constexpr size_t kMaxBlockElements = 256;
constexpr size_t kQ8_0Elements = 32, kQ8_0Bytes = 34;

/// Null for a name that stands for no block format we know.
const BlockFormat* find_block_format(const std::string& name);

/// Writes the values [first, first + count) of consecutive blocks as little-endian float32, on the pool. Neither
/// `blocks` nor `out` needs to be aligned. The values are those of ggml's dequantize_row_*: same operations, same
/// order.
void dequantize_blocks(const BlockFormat& format, const uint8_t* blocks, size_t first, size_t count, uint8_t* out);

/// x[32 * blocks] to Q8_0 as ggml's quantize_row_q8_0 does: per block d = max |x| / 127, codes are x * (1/d) rounded
/// half away from zero, and d is stored as float16. A block with NaN, an infinity or a d beyond float16 is refused
/// (Status::non_finite; `out` is then unspecified), or, with `clip`, scaled by its finite values: what is beyond the
/// codes takes the nearest one, NaN takes 0.
Status quantize_q8_0(const float* x, size_t blocks, bool clip, uint8_t* out);

}  // namespace qgemm
