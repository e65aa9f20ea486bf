// Lets a binary that was built with a new g++ load with older C and C++ libraries: glibc 2.28 and the libstdc++ of
// g++ 8. Each name below would otherwise be looked up in a newer version of those. They are hidden: only this binary
// uses them.
#include <condition_variable>
#include <cstdlib>
#include <mutex>

#if defined(__linux__) && defined(__GLIBCXX__)
#include <pthread.h>

#define QGEMM_HIDDEN __attribute__((visibility("hidden")))

extern "C" {

// glibc 2.32: whether atomic instructions may be left out. Node has many threads.
QGEMM_HIDDEN extern char __libc_single_threaded;
char __libc_single_threaded = 0;

// libstdc++ 3.4.30: std::condition_variable::wait, then a plain call of the same function.
QGEMM_HIDDEN void qgemm_condition_wait(std::condition_variable* condition, std::unique_lock<std::mutex>& lock) noexcept
    __asm__("_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE");
void qgemm_condition_wait(std::condition_variable* condition, std::unique_lock<std::mutex>& lock) noexcept {
  pthread_cond_wait(condition->native_handle(), lock.mutex()->native_handle());
}

// libstdc++ 3.4.29: std::__throw_bad_array_new_length, for containers of more elements than a size_t can count.
QGEMM_HIDDEN [[noreturn]] void qgemm_throw_bad_array_new_length() __asm__("_ZSt28__throw_bad_array_new_lengthv");
void qgemm_throw_bad_array_new_length() { abort(); }

}  // extern "C"
#endif
