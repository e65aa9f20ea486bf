// Headers of libstdc++ 11 and later read this variable of glibc 2.32 to skip atomic instructions in a process with one
// thread. Node has many; and with a definition of our own the binary loads with older versions of glibc too.
#if defined(__GLIBC__) || defined(__linux__)
extern "C" {
__attribute__((visibility("hidden"))) extern char __libc_single_threaded;
char __libc_single_threaded = 0;
}
#endif
