{
  "includes": ["native/sources.gypi"],
  "target_defaults": {
    "include_dirs": ["native"],
    "cflags": ["-O3", "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden", "-Wall", "-Wextra"],
    "cflags_cc": ["-std=c++17", "-O3", "-fvisibility-inlines-hidden"],
    "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fno-rtti"],
    "xcode_settings": {
      "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
      "GCC_OPTIMIZATION_LEVEL": "3",
      "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
      "MACOSX_DEPLOYMENT_TARGET": "11.0",
      "OTHER_CFLAGS": ["-ffp-contract=off", "-fno-math-errno"]
    },
    "msvs_settings": {
      "VCCLCompilerTool": { "FloatingPointModel": 0, "AdditionalOptions": ["/std:c++17", "/fp:precise"] }
    }
  },
  "targets": [
    {
      "target_name": "qgemm_core",
      "type": "static_library",
      "sources": ["<@(qgemm_core_sources)", "<@(qgemm_scalar_sources)"],
      "cflags_cc!": ["-fno-exceptions"],
      "cflags_cc": ["-fexceptions"],
      "xcode_settings": { "GCC_ENABLE_CPP_EXCEPTIONS": "YES" },
      "msvs_settings": { "VCCLCompilerTool": { "ExceptionHandling": 1 } }
    },
    {
      "target_name": "qgemm",
      "sources": ["<@(qgemm_addon_sources)"],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": [
        "NAPI_VERSION=8",
        "NAPI_DISABLE_CPP_EXCEPTIONS",
        "NODE_ADDON_API_DISABLE_DEPRECATED",
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"
      ],
      "dependencies": ["qgemm_core"],
      "conditions": [
        ["OS=='linux'", { "ldflags": ["-Wl,-z,nodelete"] }],
        ["target_arch=='x64'", {
          "dependencies": ["qgemm_avx2", "qgemm_avxvnni", "qgemm_avx512", "qgemm_avx512vnni", "qgemm_amxint8"]
        }],
        ["target_arch=='arm64'", {
          "dependencies": ["qgemm_neon", "qgemm_neondot", "qgemm_neoni8mm"]
        }]
      ]
    }
  ],
  "conditions": [
    ["target_arch=='x64'", {
      "targets": [
        {
          "target_name": "qgemm_avx2",
          "type": "static_library",
          "sources": ["<@(qgemm_avx2_sources)"],
          "cflags": ["<@(qgemm_avx2_cflags)"],
          "xcode_settings": { "OTHER_CFLAGS": ["<@(qgemm_avx2_cflags)"] },
          "msvs_settings": { "VCCLCompilerTool": { "AdditionalOptions": ["<@(qgemm_avx2_msvc)"] } }
        },
        {
          "target_name": "qgemm_avxvnni",
          "type": "static_library",
          "sources": ["<@(qgemm_avxvnni_sources)"],
          "cflags": ["<@(qgemm_avxvnni_cflags)"],
          "xcode_settings": { "OTHER_CFLAGS": ["<@(qgemm_avxvnni_cflags)"] },
          "msvs_settings": { "VCCLCompilerTool": { "AdditionalOptions": ["<@(qgemm_avxvnni_msvc)"] } }
        },
        {
          "target_name": "qgemm_avx512",
          "type": "static_library",
          "sources": ["<@(qgemm_avx512_sources)"],
          "cflags": ["<@(qgemm_avx512_cflags)"],
          "xcode_settings": { "OTHER_CFLAGS": ["<@(qgemm_avx512_cflags)"] },
          "msvs_settings": { "VCCLCompilerTool": { "AdditionalOptions": ["<@(qgemm_avx512_msvc)"] } }
        },
        {
          "target_name": "qgemm_avx512vnni",
          "type": "static_library",
          "sources": ["<@(qgemm_avx512vnni_sources)"],
          "cflags": ["<@(qgemm_avx512vnni_cflags)"],
          "xcode_settings": { "OTHER_CFLAGS": ["<@(qgemm_avx512vnni_cflags)"] },
          "msvs_settings": { "VCCLCompilerTool": { "AdditionalOptions": ["<@(qgemm_avx512vnni_msvc)"] } }
        },
        {
          "target_name": "qgemm_amxint8",
          "type": "static_library",
          "sources": ["<@(qgemm_amxint8_sources)"],
          "cflags": ["<@(qgemm_amxint8_cflags)"],
          "xcode_settings": { "OTHER_CFLAGS": ["<@(qgemm_amxint8_cflags)"] },
          "msvs_settings": { "VCCLCompilerTool": { "AdditionalOptions": ["<@(qgemm_amxint8_msvc)"] } }
        }
      ]
    }],
    ["target_arch=='arm64'", {
      "targets": [
        {
          "target_name": "qgemm_neon",
          "type": "static_library",
          "sources": ["<@(qgemm_neon_sources)"],
          "cflags": ["<@(qgemm_neon_cflags)"],
          "xcode_settings": { "OTHER_CFLAGS": ["<@(qgemm_neon_cflags)"] },
          "msvs_settings": { "VCCLCompilerTool": { "AdditionalOptions": ["<@(qgemm_neon_msvc)"] } }
        },
        {
          "target_name": "qgemm_neondot",
          "type": "static_library",
          "sources": ["<@(qgemm_neondot_sources)"],
          "cflags": ["<@(qgemm_neondot_cflags)"],
          "xcode_settings": { "OTHER_CFLAGS": ["<@(qgemm_neondot_cflags)"] },
          "msvs_settings": { "VCCLCompilerTool": { "AdditionalOptions": ["<@(qgemm_neondot_msvc)"] } }
        },
        {
          "target_name": "qgemm_neoni8mm",
          "type": "static_library",
          "sources": ["<@(qgemm_neoni8mm_sources)"],
          "cflags": ["<@(qgemm_neoni8mm_cflags)"],
          "xcode_settings": { "OTHER_CFLAGS": ["<@(qgemm_neoni8mm_cflags)"] },
          "msvs_settings": { "VCCLCompilerTool": { "AdditionalOptions": ["<@(qgemm_neoni8mm_msvc)"] } }
        }
      ]
    }]
  ]
}
