#pragma once
#if !defined(_WIN32)
#include <pthread.h>
#include <signal.h>
#endif

namespace qgemm {

#if !defined(_WIN32)
/// While alive, no signal is delivered to this thread; a thread started meanwhile inherits that, so the host's handlers
/// never run on ours.
class ScopedSignalBlock {
 public:
  ScopedSignalBlock() {
    sigset_t all;
    sigfillset(&all);
    // What the thread itself raises must reach its handler (a crash reporter's, an emulator's): blocked, it would kill.
    for (const int own : {SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV}) sigdelset(&all, own);
    set_mask(all, &saved_);
  }
  ~ScopedSignalBlock() { set_mask(saved_, nullptr); }
  ScopedSignalBlock(const ScopedSignalBlock&) = delete;
  ScopedSignalBlock& operator=(const ScopedSignalBlock&) = delete;

 private:
  static void set_mask(const sigset_t& mask, sigset_t* previous) {
#if defined(__linux__)
    // The same as pthread_sigmask here, whose newest symbol version would tie the binary to glibc 2.32.
    sigprocmask(SIG_SETMASK, &mask, previous);
#else
    pthread_sigmask(SIG_SETMASK, &mask, previous);
#endif
  }

  sigset_t saved_;
};
#else
class ScopedSignalBlock {};
#endif

}  // namespace qgemm
