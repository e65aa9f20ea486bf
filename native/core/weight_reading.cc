#include "core/weight_reading.h"

#include "core/cpu.h"

namespace qgemm {
namespace {

// What Zen 5 gains by asking, kernels of AVX512-VNNI do. Those for fewer instructions read as on Zen 4: asked from
// level 3, AVX-VNNI's with two to four rows take a fifth longer.
Asking asking_of_kernels() {
  const Asking found = asking();
  const bool has_them = (dispatch_config().features & kAvx512Vnni) != 0;
  return found == Asking::pays_from_far && !has_them ? Asking::costs : found;
}

// Up to so many rows wait for weights from afar.
constexpr size_t kRowsThatWait = 4;

// Whether weights come from so far that m rows ask for them: from beyond level 2 where that costs nothing, and else
// from where it pays. Zen 5 reads for one or two rows from memory as fast as it comes; of many rows' time, asking is so
// little that it pays from level 3 too.
bool are_asked_for(Asking asking, size_t bytes, size_t m) {
  constexpr size_t kReaders = 2, kManyRows = 64;
  const size_t l2 = cpu_caches().l2;
  switch (asking) {
    case Asking::is_free:
      return bytes > l2 / 2;
    case Asking::pays_from_far:
      if (m <= kReaders && distance_of_weights(bytes) == Weights::far) return false;
      return bytes > (m <= kRowsThatWait || m >= kManyRows ? l2 : 4 * l2);
    default:
      return bytes > 4 * l2;
  }
}

// What comes meanwhile.
size_t bytes_ahead(Asking asking, size_t bytes, size_t m) {
  if (asking == Asking::is_free || distance_of_weights(bytes) == Weights::near) return 2048;
  return m <= kRowsThatWait ? 8192 : 12288;
}

// How many bytes were read since these weights were. Up to four rows wait for weights from afar: long panels come
// several at once as fast as one after the other, while the layer is small; short ones do not (Zen 4).
size_t bytes_between(Asking asking, const PackedWeights& weights, size_t m) {
  constexpr size_t kLongPanel = 65536;
  const size_t bytes = weights.panels_bytes(), distance = weights.reuse.read(bytes);
  return m <= kRowsThatWait && weights.panel_stride() > kLongPanel && asking == Asking::costs ? bytes : distance;
}

// Where asking costs something, weights that are asked for are near or far all the same; and where few rows read panel
// by panel, it makes no difference to them.
Weights distance(Asking asking, size_t bytes, size_t m, bool asked_for) {
  if (m <= kRowsThatWait && asking == Asking::pays_from_far) return Weights::near;
  return asked_for && asking != Asking::costs ? Weights::asked_for : distance_of_weights(bytes);
}

}  // namespace

WeightReading weight_reading(const PackedWeights& weights, size_t m) {
  const Asking how = asking_of_kernels();
  const size_t bytes = bytes_between(how, weights, m);
  const bool asked_for = are_asked_for(how, bytes, m);
  return {bytes, distance(how, bytes, m, asked_for), asked_for, how != Asking::costs, bytes_ahead(how, bytes, m)};
}

}  // namespace qgemm
