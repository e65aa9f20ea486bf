#pragma once
#include <algorithm>
#include <chrono>

#include "core/spin.h"

namespace qgemm {

/// How long a thread of the pool looks for work before it sleeps. Waking it takes its caller 9 µs in a virtual machine,
/// and it begins after 27, so a model that computes something else between its layers would gain little from it. It
/// therefore looks for longer, but no more than some times as long as it worked last, and only while work comes that
/// soon.
class Patience {
 public:
  Clock::duration now() const { return now_; }

  /// Work came, or somebody wanted it done who then did it alone, after it had been waited for so long.
  void work_came(Clock::duration idle) {
    if (idle <= longest_) in_vain_ = 0;
    now_ = in_vain_ == 0 ? longest_ : kLeast;
    if (in_vain_ != 0) --in_vain_;
  }

  /// It was waited for in vain: if for long, then not so long the next times.
  void gave_up() {
    if (now_ > kLeast) in_vain_ = kImpatientTimes;
  }

  /// Work took so long. Who came late had less than its share: shorter work counts little by little.
  void work_took(Clock::duration busy) {
    longest_ = std::clamp<Clock::duration>(busy * kTimesAsLong, std::max(longest_ - longest_ / 8, kLeast), kLongest);
  }

 private:
  static constexpr int kTimesAsLong = 8, kImpatientTimes = 8;
  static constexpr Clock::duration kLeast = kSpinTime, kLongest = std::chrono::microseconds(100);
  Clock::duration now_ = kLeast, longest_ = kLeast;
  int in_vain_ = 0;
};

}  // namespace qgemm
