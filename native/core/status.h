#pragma once

namespace qgemm {

/// Outcome of a core operation. The core never throws: allocation is nothrow and everything else was checked before.
enum class Status { ok, out_of_memory, cancelled, non_finite };

}  // namespace qgemm
