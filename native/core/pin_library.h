#pragma once

namespace qgemm {

/// Keeps this library loaded until the process ends. Node unloads an addon with the last Worker that used it, and the
/// pool's threads would go on in memory that is no longer there.
void pin_library();

}  // namespace qgemm
