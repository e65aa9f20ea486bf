{
  "variables": {
    "qgemm_core_sources": [
      "native/core/aligned_buffer.cc",
      "native/core/cpu.cc",
      "native/core/cpu_affinity.cc",
      "native/core/crc32.cc",
      "native/core/dispatch.cc",
      "native/core/error_stats.cc",
      "native/core/file_map.cc",
      "native/core/float16.cc",
      "native/core/forward_layers.cc",
      "native/core/fp_env.cc",
      "native/core/gemm.cc",
      "native/core/gemm_f32.cc",
      "native/core/gguf_blocks.cc",
      "native/core/gguf_k_blocks.cc",
      "native/core/gguf_lattice_blocks.cc",
      "native/core/gguf_lattices.cc",
      "native/core/gguf_quantize.cc",
      "native/core/gguf_ternary_blocks.cc",
      "native/core/large_pairs.cc",
      "native/core/matmul_integer.cc",
      "native/core/matmul_quantized.cc",
      "native/core/pack.cc",
      "native/core/pack_block_f32.cc",
      "native/core/pin_library.cc",
      "native/core/prepare_rows.cc",
      "native/core/private_rows.cc",
      "native/core/qparams.cc",
      "native/core/quantize.cc",
      "native/core/quantize_weights.cc",
      "native/core/ranges.cc",
      "native/core/reference.cc",
      "native/core/reference_pack.cc",
      "native/core/reference_quantize.cc",
      "native/core/registry.cc",
      "native/core/reuse_distance.cc",
      "native/core/slab.cc",
      "native/core/strided_copy.cc",
      "native/core/tensor_stats.cc",
      "native/core/thread_count.cc",
      "native/core/thread_pool.cc",
      "native/core/weight_reading.cc",
      "native/core/wire_data.cc"
    ],
    "qgemm_addon_sources": [
      "native/addon/addon.cc",
      "native/addon/args.cc",
      "native/addon/async_queue.cc",
      "native/addon/byte_tools.cc",
      "native/addon/cpu.cc",
      "native/addon/error_stats.cc",
      "native/addon/errors.cc",
      "native/addon/gguf.cc",
      "native/addon/glibc_compat.cc",
      "native/addon/linear.cc",
      "native/addon/linear_async.cc",
      "native/addon/linear_call.cc",
      "native/addon/mapping.cc",
      "native/addon/matmul_quantized.cc",
      "native/addon/quantize.cc",
      "native/addon/tensor_tools.cc",
      "native/addon/weight_blocks.cc",
      "native/addon/weights.cc",
      "native/addon/wire_data.cc"
    ],
    "qgemm_scalar_sources": [
      "native/kernels/scalar/gemm_f32_scalar.cc",
      "native/kernels/scalar/gemm_u8s8f32_scalar.cc",
      "native/kernels/scalar/pack_scalar.cc",
      "native/kernels/scalar/quantize_row_scalar.cc",
      "native/kernels/scalar/quantize_tensor_scalar.cc"
    ],
    "qgemm_avx2_sources": [
      "native/kernels/x86/gemm_f32_avx2.cc",
      "native/kernels/x86/gemm_u8s8f32_avx2.cc",
      "native/kernels/x86/gemm_u8s8f32_clamped_avx2.cc",
      "native/kernels/x86/pack_avx2.cc",
      "native/kernels/x86/quantize_row_avx2.cc",
      "native/kernels/x86/quantize_tensor_avx2.cc"
    ],
    "qgemm_avx2_cflags": [
      "-mavx2",
      "-mfma"
    ],
    "qgemm_avx2_msvc": [
      "/arch:AVX2"
    ],
    "qgemm_avxvnni_sources": [
      "native/kernels/x86/gemm_u8s8f32_avxvnni.cc"
    ],
    "qgemm_avxvnni_cflags": [
      "-mavx2",
      "-mfma",
      "-mavxvnni"
    ],
    "qgemm_avxvnni_msvc": [
      "/arch:AVX2"
    ],
    "qgemm_avx512_sources": [
      "native/kernels/x86/gemm_f32_avx512.cc",
      "native/kernels/x86/pack_avx512.cc",
      "native/kernels/x86/quantize_row_avx512.cc",
      "native/kernels/x86/quantize_tensor_avx512.cc"
    ],
    "qgemm_avx512_cflags": [
      "-mavx2",
      "-mfma",
      "-mavx512f",
      "-mavx512bw",
      "-mavx512vl",
      "-mavx512dq",
      "-mprefer-vector-width=512",
      "-Wno-maybe-uninitialized"
    ],
    "qgemm_avx512_msvc": [
      "/arch:AVX512"
    ],
    "qgemm_avx512vnni_sources": [
      "native/kernels/x86/gemm_u8s8f32_avx512vnni.cc"
    ],
    "qgemm_avx512vnni_cflags": [
      "-mavx2",
      "-mfma",
      "-mavx512f",
      "-mavx512bw",
      "-mavx512vl",
      "-mavx512dq",
      "-mavx512vnni",
      "-mprefer-vector-width=512",
      "-Wno-maybe-uninitialized"
    ],
    "qgemm_avx512vnni_msvc": [
      "/arch:AVX512"
    ],
    "qgemm_neon_sources": [
      "native/kernels/arm/gemm_f32_neon.cc",
      "native/kernels/arm/gemm_u8s8f32_neon.cc",
      "native/kernels/arm/pack_neon.cc",
      "native/kernels/arm/quantize_row_neon.cc",
      "native/kernels/arm/quantize_tensor_neon.cc"
    ],
    "qgemm_neon_cflags": [
      "-march=armv8-a"
    ],
    "qgemm_neon_msvc": [],
    "qgemm_neondot_sources": [
      "native/kernels/arm/gemm_u8s8f32_neondot.cc"
    ],
    "qgemm_neondot_cflags": [
      "-march=armv8.2-a+dotprod"
    ],
    "qgemm_neondot_msvc": [
      "/arch:armv8.2"
    ],
    "qgemm_neoni8mm_sources": [
      "native/kernels/arm/gemm_u8s8f32_neoni8mm.cc"
    ],
    "qgemm_neoni8mm_cflags": [
      "-march=armv8.2-a+i8mm"
    ],
    "qgemm_neoni8mm_msvc": [
      "/arch:armv8.6"
    ],
    "qgemm_amxint8_sources": [
      "native/kernels/x86/gemm_u8s8f32_amxint8.cc"
    ],
    "qgemm_amxint8_cflags": [
      "-mavx2",
      "-mfma",
      "-mavx512f",
      "-mavx512bw",
      "-mavx512vl",
      "-mavx512dq",
      "-mprefer-vector-width=512",
      "-Wno-maybe-uninitialized",
      "-mamx-tile",
      "-mamx-int8"
    ],
    "qgemm_amxint8_msvc": [
      "/arch:AVX512"
    ]
  }
}
