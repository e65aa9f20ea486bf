#pragma once
#include <cstddef>
#include <cstdint>

namespace qgemm {

/// Little-endian elements at any address to float32, exactly; on the pool.
void float32_from_bytes(const uint8_t* bytes, size_t count, float* out);
void float16_from_bytes(const uint8_t* bytes, size_t count, float* out);
void bfloat16_from_bytes(const uint8_t* bytes, size_t count, float* out);

/// Rounds to float16, half to even, as little-endian bytes at any address. False when some value is NaN or becomes an
/// infinity; with `clip` those become 0 and +-65504.
bool float16_to_bytes(const float* x, size_t count, bool clip, uint8_t* bytes);

/// out[i] = codes[i] * scale + min in double, rounded to float32: what TensorFlow.js makes of quantized weights.
void affine_dequantize(const uint8_t* codes, size_t count, double scale, double min, float* out);
void affine_dequantize(const uint16_t* codes, size_t count, double scale, double min, float* out);

/// The same for int32 weights: rounded half up, as JavaScript's Math.round does, and modulo 2^32, as Int32Array stores.
void affine_dequantize(const uint8_t* codes, size_t count, double scale, double min, int32_t* out);
void affine_dequantize(const uint16_t* codes, size_t count, double scale, double min, int32_t* out);

}  // namespace qgemm
