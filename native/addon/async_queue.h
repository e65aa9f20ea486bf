#pragma once
#include <node_api.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "core/status.h"
#include "core/thread_pool.h"

namespace qgemm::addon {

class AsyncQueue;

/// One asynchronous operation. `compute` runs on a pool thread and touches only what the job owns; everything else
/// happens on the JavaScript thread.
class AsyncJob : public ThreadPool::Job {
 public:
  virtual ~AsyncJob() = default;

  /// Does the work; looks at `cancelled` from time to time.
  virtual Status compute() = 0;

 protected:
  std::atomic<bool> cancelled{false};

 private:
  friend class AsyncQueue;

  AsyncQueue* queue_ = nullptr;
  AsyncJob* previous_ = nullptr;  // in the queue's list of outstanding jobs
  AsyncJob* next_ = nullptr;
  AsyncJob* next_completed_ = nullptr;
  uint32_t id_ = 0;
  Status status_ = Status::ok;
  napi_ref result_ = nullptr;  // keeps the memory that compute() writes
  napi_ref done_ = nullptr;
};

/// The asynchronous operations of one JavaScript thread.
///
/// Finished jobs are collected and delivered together through one thread-safe function, which keeps the event loop
/// alive only while jobs are outstanding. When the environment goes away (worker.terminate()) jobs are cancelled, and
/// the teardown waits for those that are running: nothing that they write to is freed under them.
class AsyncQueue {
 public:
  /// The queue of this environment, made at first use. Null, with an exception pending, when that fails.
  static AsyncQueue* of(napi_env env);

  /// Queues `job` and takes it over. `done(error | null)` is called from the event loop; `result` stays alive until
  /// then. Returns the job's id, or 0 with an exception pending.
  uint32_t submit(AsyncJob* job, napi_value result, napi_value done);

  /// Asks a job to stop; `done` is called all the same. Unknown ids (it is over) are ignored.
  void cancel(uint32_t id);

 private:
  explicit AsyncQueue(napi_env env) : env_(env) {}
  ~AsyncQueue() = default;

  static void run(ThreadPool::Job* job);
  static void call_js(napi_env env, napi_value, void* context, void*);
  static void close(void* queue);
  void complete(AsyncJob* job);
  void stop(AsyncJob* job);
  void deliver();
  void call_done(AsyncJob* job);
  void drop_references(AsyncJob* job);
  void link(AsyncJob* job);
  void unlink(AsyncJob* job);

  napi_env env_;
  napi_threadsafe_function notify_ = nullptr;

  // JavaScript thread only.
  AsyncJob* outstanding_ = nullptr;
  size_t outstanding_count_ = 0;
  uint32_t last_id_ = 0;

  std::mutex mutex_;  // guards what follows
  std::condition_variable all_complete_;
  AsyncJob* completed_ = nullptr;
  AsyncJob* last_completed_ = nullptr;
  size_t completed_count_ = 0;
  bool closing_ = false;
};

}  // namespace qgemm::addon
