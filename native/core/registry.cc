#include "core/registry.h"

#include <mutex>
#include <unordered_map>

namespace qgemm {

namespace {

struct Registry {
  std::mutex mutex;
  std::unordered_map<std::string, std::weak_ptr<const PackedWeights>> entries;
  size_t sweep_at = 64;

  /// Drops entries whose weights are gone, each time their number has doubled: the map stays within twice what lives.
  void sweep() {
    if (entries.size() < sweep_at) return;
    for (auto it = entries.begin(); it != entries.end();) it = it->second.expired() ? entries.erase(it) : ++it;
    sweep_at = entries.size() * 2 + 64;
  }
};

/// Never destroyed: threads may outlive static destructors.
Registry& registry() {
  static Registry* instance = new Registry;
  return *instance;
}

}  // namespace

void register_weights(const std::string& token, const WeightsPtr& weights) {
  Registry& all = registry();
  std::lock_guard<std::mutex> lock(all.mutex);
  all.sweep();
  all.entries[token] = weights;
}

WeightsPtr find_weights(const std::string& token) {
  Registry& all = registry();
  std::lock_guard<std::mutex> lock(all.mutex);
  auto found = all.entries.find(token);
  return found == all.entries.end() ? nullptr : found->second.lock();
}

}  // namespace qgemm
