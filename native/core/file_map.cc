#include "core/file_map.h"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#else
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <system_error>

namespace qgemm {

namespace {

// One call of the operating system reads at most this much: Linux itself stops at 2 GiB.
constexpr size_t kReadBytes = size_t{1} << 30;

std::string no_memory(uint64_t size) { return "not enough memory for " + std::to_string(size) + " bytes"; }

#if defined(_WIN32)

using File = HANDLE;

std::string last_error() { return std::system_category().message(static_cast<int>(GetLastError())); }

std::wstring to_wide(const std::string& text) {
  int bytes = static_cast<int>(text.size());
  int length = MultiByteToWideChar(CP_UTF8, 0, text.data(), bytes, nullptr, 0);
  std::wstring wide(static_cast<size_t>(length), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, text.data(), bytes, &wide[0], length);
  return wide;
}

bool open_file(const std::string& path, File* file, std::string* error) {
  *file = CreateFileW(to_wide(path).c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, nullptr, OPEN_EXISTING,
                      FILE_ATTRIBUTE_NORMAL, nullptr);
  if (*file == INVALID_HANDLE_VALUE) *error = last_error();
  return *file != INVALID_HANDLE_VALUE;
}

void close_file(File file) { CloseHandle(file); }

bool file_size(File file, uint64_t* size, std::string* error) {
  LARGE_INTEGER length;
  if (GetFileType(file) != FILE_TYPE_DISK) {
    *error = "not a regular file";
    return false;
  }
  if (!GetFileSizeEx(file, &length)) {
    *error = last_error();
    return false;
  }
  *size = static_cast<uint64_t>(length.QuadPart);
  return true;
}

const void* map_file(File file, size_t, std::string* error) {
  HANDLE mapping = CreateFileMappingW(file, nullptr, PAGE_READONLY, 0, 0, nullptr);
  const void* data = mapping == nullptr ? nullptr : MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0);
  if (data == nullptr) *error = last_error();
  if (mapping != nullptr) CloseHandle(mapping);  // the view keeps it
  return data;
}

void unmap(const void* data, size_t) { UnmapViewOfFile(data); }

/// Reads the next bytes of the file. 0 at its end, -1 on an error.
int64_t read_some(File file, void* data, size_t bytes) {
  DWORD got = 0;
  return ReadFile(file, data, static_cast<DWORD>(bytes), &got, nullptr) ? static_cast<int64_t>(got) : -1;
}

#else

using File = int;

std::string last_error() { return std::generic_category().message(errno); }

bool open_file(const std::string& path, File* file, std::string* error) {
  // Without O_NONBLOCK, opening a FIFO would wait for a writer.
  *file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (*file < 0) *error = last_error();
  return *file >= 0;
}

void close_file(File file) { ::close(file); }

bool file_size(File file, uint64_t* size, std::string* error) {
#if defined(__linux__)
  // Not fstat: glibc 2.33 gave it a new symbol version, and a binary that asks for it does not load on older systems.
  struct statx info;
  bool ok = statx(file, "", AT_EMPTY_PATH, STATX_TYPE | STATX_SIZE, &info) == 0;
  bool regular = ok && S_ISREG(info.stx_mode);
  if (ok) *size = info.stx_size;
#else
  struct stat info;
  bool ok = fstat(file, &info) == 0;
  bool regular = ok && S_ISREG(info.st_mode);
  if (ok) *size = static_cast<uint64_t>(info.st_size);
#endif
  if (!ok) *error = last_error();
  if (ok && !regular) *error = "not a regular file";
  return regular;
}

const void* map_file(File file, size_t size, std::string* error) {
  void* data = mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0);
  if (data == MAP_FAILED) {
    *error = last_error();
    return nullptr;
  }
  // Before anything is read: some file systems then keep the file in huge pages.
  advise_huge_pages(data, size);
  return data;
}

void unmap(const void* data, size_t size) { munmap(const_cast<void*>(data), size); }

int64_t read_some(File file, void* data, size_t bytes) {
  ssize_t got;
  do {
    got = ::read(file, data, bytes);
  } while (got < 0 && errno == EINTR);
  return got;
}

#endif

/// Closes the file when left.
struct OpenFile {
  File file;
  ~OpenFile() { close_file(file); }
};

bool read_all(File file, uint8_t* data, size_t size, std::string* error) {
  for (size_t done = 0; done < size;) {
    int64_t got = read_some(file, data + done, std::min(size - done, kReadBytes));
    if (got <= 0) {
      *error = got < 0 ? last_error() : "the file became shorter while it was read";
      return false;
    }
    done += static_cast<size_t>(got);
  }
  return true;
}

}  // namespace

std::shared_ptr<FileMap> FileMap::open(const std::string& path, bool map, std::string* error) {
  File file;
  uint64_t size = 0;
  if (!open_file(path, &file, error)) return nullptr;
  OpenFile closer{file};
  if (!file_size(file, &size, error)) return nullptr;
  if (size == 0) {
    *error = "the file is empty";
    return nullptr;
  }
  if (size > SIZE_MAX / 2) {
    *error = no_memory(size);
    return nullptr;
  }
  std::shared_ptr<FileMap> result(new FileMap);
  if (map) {
    result->data_ = static_cast<const uint8_t*>(map_file(file, static_cast<size_t>(size), error));
    if (result->data_ == nullptr) return nullptr;
  } else {
    if (!result->private_copy_.allocate(static_cast<size_t>(size))) {
      *error = no_memory(size);
      return nullptr;
    }
    result->data_ = result->private_copy_.as<const uint8_t>();
    if (!read_all(file, result->private_copy_.as<uint8_t>(), static_cast<size_t>(size), error)) return nullptr;
  }
  result->size_ = static_cast<size_t>(size);
  return result;
}

FileMap::~FileMap() {
  if (mapped() && data_ != nullptr) unmap(data_, size_);
}

}  // namespace qgemm
