#include "core/reuse_distance.h"

#include <atomic>
#include <thread>
#include <vector>

#include "test/harness.h"

namespace qgemm {
namespace test {
namespace {

constexpr size_t kLayer = size_t{2} << 20;

QGEMM_TEST(weights_that_are_read_again_and_again_are_near) {
  const ReuseDistance weights;
  weights.read(kLayer);
  for (int i = 0; i < 3; ++i) EXPECT(weights.read(kLayer) == kLayer, "they are far from themselves");
}

QGEMM_TEST(layers_in_turn_are_as_far_as_all_of_them_are_large) {
  const std::vector<ReuseDistance> layers(10);
  for (int round = 0; round < 3; ++round) {
    for (const ReuseDistance& layer : layers) {
      const size_t distance = layer.read(kLayer);
      EXPECT(round == 0 || distance == 10 * kLayer, "round %d: %zu bytes", round, distance);
    }
  }
}

QGEMM_TEST(small_weights_count_for_nobody) {
  const ReuseDistance weights, small;
  weights.read(kLayer);
  for (int i = 0; i < 1000; ++i) EXPECT(small.read(1000) == 1000, "small weights are far");
  EXPECT(weights.read(kLayer) == kLayer, "small weights were counted");
}

QGEMM_TEST(threads_that_share_weights_find_them_near) {
  const ReuseDistance weights;
  weights.read(kLayer);
  std::atomic<bool> wrong{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10000; ++i) {
        const size_t distance = weights.read(kLayer);
        if (distance < kLayer || distance > 40000 * kLayer) wrong = true;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT(!wrong, "a distance is not one of what was read");
}

}  // namespace
}  // namespace test
}  // namespace qgemm
