{
  "targets": [
    {
      "target_name": "qgemm_bench",
      "sources": [
        "../native/bench/addon.cc",
        "../native/bench/bandwidth.cc",
        "../native/bench/loop_crew.cc",
        "../native/bench/peak.cc",
        "../native/core/aligned_buffer.cc",
        "../native/core/cpu.cc",
        "../native/core/cpu_affinity.cc"
      ],
      "include_dirs": ["../native"],
      "defines": ["NAPI_VERSION=8"],
      "cflags_cc": ["-std=c++17", "-O2"]
    }
  ]
}
