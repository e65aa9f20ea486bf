{
  "targets": [
    {
      "target_name": "qgemm_bench",
      "sources": ["../native/bench/addon.cc", "../native/bench/peak.cc"],
      "include_dirs": ["../native"],
      "defines": ["NAPI_VERSION=8"],
      "cflags_cc": ["-std=c++17", "-O2"]
    }
  ]
}
