#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "core/aligned_buffer.h"

namespace qgemm {

/// The bytes of a whole file: mapped read-only and shared with every process that maps it, or read into private memory.
///
/// A file that is truncated while it is mapped takes the process down on Linux and macOS when a lost page is touched
/// (SIGBUS). Replace files by renaming a new one over them, or read them privately.
class FileMap {
 public:
  /// Opens a regular, non-empty file. Null on failure, with the reason in `error` (errno text, or a sentence).
  /// `path` is UTF-8.
  static std::shared_ptr<FileMap> open(const std::string& path, bool map, std::string* error);

  ~FileMap();
  FileMap(const FileMap&) = delete;
  FileMap& operator=(const FileMap&) = delete;

  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  bool mapped() const { return private_copy_.size() == 0; }

 private:
  FileMap() = default;

  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
  AlignedBuffer private_copy_;
};

}  // namespace qgemm
