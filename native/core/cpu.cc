#include "core/cpu.h"

#include <cstring>

#if defined(__x86_64__) || defined(_M_X64)
#define QGEMM_X86 1
#if defined(_MSC_VER)
#include <immintrin.h>
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif

#if defined(__aarch64__) || defined(_M_ARM64)
#define QGEMM_ARM64 1
#if defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(_WIN32)
#include <windows.h>
#endif
#endif

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "kernels/kernel.h"

namespace qgemm {
namespace {

#if defined(QGEMM_X86)

struct Registers {
  uint32_t eax, ebx, ecx, edx;
};

Registers cpuid(uint32_t leaf, uint32_t subleaf) {
  Registers r = {0, 0, 0, 0};
#if defined(_MSC_VER)
  int out[4];
  __cpuidex(out, static_cast<int>(leaf), static_cast<int>(subleaf));
  memcpy(&r, out, sizeof r);
#else
  __cpuid_count(leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
#endif
  return r;
}

// Which register states the operating system saves: having the instructions is not enough.
uint64_t xcr0() {
#if defined(_MSC_VER)
  return _xgetbv(0);
#else
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
#endif
}

bool bit(uint32_t value, int index) { return (value >> index) & 1; }

// Linux hands out AMX tile state on request only.
bool request_amx() {
#if defined(__linux__)
  constexpr long kArchReqXcompPerm = 0x1023, kXfeatureXtiledata = 18;
  return syscall(SYS_arch_prctl, kArchReqXcompPerm, kXfeatureXtiledata) == 0;
#else
  return false;
#endif
}

uint32_t detect_features() {
  const uint32_t max_leaf = cpuid(0, 0).eax;
  const Registers leaf1 = cpuid(1, 0);
  const bool osxsave = bit(leaf1.ecx, 27);
  if (!osxsave || max_leaf < 7) return kScalar;
  const uint64_t saved = xcr0();
  const bool saves_ymm = (saved & 0x6) == 0x6;
  const bool saves_zmm = (saved & 0xe6) == 0xe6;
  const bool saves_tiles = (saved & 0x60000) == 0x60000;
  const Registers leaf7 = cpuid(7, 0);
  const Registers leaf7_1 = leaf7.eax >= 1 ? cpuid(7, 1) : Registers{0, 0, 0, 0};

  uint32_t features = kScalar;
  const bool fma = bit(leaf1.ecx, 12), avx = bit(leaf1.ecx, 28), f16c = bit(leaf1.ecx, 29);
  if (!saves_ymm || !avx || !fma || !f16c || !bit(leaf7.ebx, 5)) return features;
  features |= kAvx2;
  if (bit(leaf7_1.eax, 4)) features |= kAvxVnni;
  const bool avx512 = bit(leaf7.ebx, 16) && bit(leaf7.ebx, 17) && bit(leaf7.ebx, 30) && bit(leaf7.ebx, 31);
  if (!saves_zmm || !avx512) return features;
  features |= kAvx512;
  if (bit(leaf7.ecx, 11)) features |= kAvx512Vnni;
  if (saves_tiles && bit(leaf7.edx, 24) && bit(leaf7.edx, 25) && request_amx()) features |= kAmxInt8;
  return features;
}

std::string detect_name() {
  if (cpuid(0x80000000u, 0).eax < 0x80000004u) return "";
  char text[49] = {0};
  for (uint32_t i = 0; i < 3; ++i) {
    const Registers r = cpuid(0x80000002u + i, 0);
    memcpy(text + 16 * i, &r, sizeof r);
  }
  std::string name(text);
  const size_t first = name.find_first_not_of(' ');
  if (first == std::string::npos) return "";
  return name.substr(first, name.find_last_not_of(' ') - first + 1);
}

// Deterministic cache parameters: leaf 4 (Intel) or 0x8000001D (AMD), the same encoding.
CacheSizes detect_caches() {
  CacheSizes sizes = {0, 0, 0};
  const bool amd = cpuid(0x80000000u, 0).eax >= 0x8000001Du && cpuid(0x8000001Du, 0).eax != 0;
  if (!amd && cpuid(0, 0).eax < 4) return sizes;
  for (uint32_t i = 0; i < 16; ++i) {
    const Registers r = cpuid(amd ? 0x8000001Du : 4u, i);
    const uint32_t type = r.eax & 0x1f, level = (r.eax >> 5) & 0x7;
    if (type == 0) break;
    if (type == 2) continue;  // instructions
    const uint32_t ways = (r.ebx >> 22) + 1, partitions = ((r.ebx >> 12) & 0x3ff) + 1, line = (r.ebx & 0xfff) + 1;
    const uint32_t bytes = ways * partitions * line * (r.ecx + 1);
    if (level == 1) sizes.l1d = bytes;
    if (level == 2) sizes.l2 = bytes;
    if (level == 3) sizes.l3 = bytes;
  }
  return sizes;
}

#elif defined(QGEMM_ARM64)

#if defined(__APPLE__)
bool has_sysctl(const char* name) {
  int value = 0;
  size_t size = sizeof value;
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
}
#endif

uint32_t detect_features() {
  uint32_t features = kNeon;
#if defined(__linux__)
  // The bits of the kernel's <asm/hwcap.h>, which older headers lack.
  constexpr unsigned long kHwcapAsimdDp = 1ul << 20, kHwcap2I8mm = 1ul << 13;
  if (getauxval(AT_HWCAP) & kHwcapAsimdDp) features |= kNeonDot;
  if (getauxval(AT_HWCAP2) & kHwcap2I8mm) features |= kNeonI8mm;
#elif defined(__APPLE__)
  if (has_sysctl("hw.optional.arm.FEAT_DotProd")) features |= kNeonDot;
  if (has_sysctl("hw.optional.arm.FEAT_I8MM")) features |= kNeonI8mm;
#elif defined(_WIN32)
  constexpr DWORD kDotProduct = 43;  // PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE
  if (IsProcessorFeaturePresent(kDotProduct)) features |= kNeonDot;
#endif
  return features;
}

std::string detect_name() { return ""; }
CacheSizes detect_caches() { return {0, 0, 0}; }

#else

uint32_t detect_features() { return kScalar; }
std::string detect_name() { return ""; }
CacheSizes detect_caches() { return {0, 0, 0}; }

#endif

}  // namespace

uint32_t cpu_features() {
  static const uint32_t features = detect_features();
  return features;
}

const std::string& cpu_name() {
  static const std::string name = detect_name();
  return name;
}

CacheSizes cpu_caches() {
  static const CacheSizes sizes = detect_caches();
  return sizes;
}

// As Intel's servers have it since Sapphire Rapids.
static bool has_server_level_2() { return cpu_caches().l2 >= size_t{2} << 20; }

Asking asking() {
  static const Asking found = [] {
    const uint32_t both = kAvxVnni | kAvx512Vnni, vnni = cpu_features() & both;
    if (vnni == kAvxVnni || has_server_level_2()) return Asking::is_free;
    return vnni == both ? Asking::pays_from_far : Asking::costs;
  }();
  return found;
}

bool one_stream_is_enough() { return asking() == Asking::pays_from_far; }

bool stores_across_lines_are_slow() { return has_server_level_2(); }

const char* isa_tag(uint32_t feature) {
  switch (feature) {
    case kAvx2:
      return "avx2";
    case kAvxVnni:
      return "avxvnni";
    case kAvx512:
      return "avx512";
    case kAvx512Vnni:
      return "avx512vnni";
    case kAmxInt8:
      return "amxint8";
    case kNeon:
      return "neon";
    case kNeonDot:
      return "neondot";
    case kNeonI8mm:
      return "neoni8mm";
    default:
      return "scalar";
  }
}

}  // namespace qgemm
