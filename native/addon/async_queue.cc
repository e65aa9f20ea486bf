#include "addon/async_queue.h"

#include <memory>
#include <new>

#include "addon/env_state.h"
#include "addon/errors.h"

namespace qgemm::addon {

AsyncQueue* AsyncQueue::of(napi_env env) {
  EnvState* state = env_state(env);
  if (state->async != nullptr) return state->async;
  auto* queue = new (std::nothrow) AsyncQueue(env);
  napi_value name;
  if (queue == nullptr || napi_create_string_utf8(env, "qgemm", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, queue, call_js,
                                      &queue->notify_) != napi_ok) {
    delete queue;
    throw_status(env, Status::out_of_memory, "queue");
    return nullptr;
  }
  napi_unref_threadsafe_function(env, queue->notify_);
  // Clean-up hooks run in reverse order: this one before the thread-safe function's own, so that no pool thread calls
  // it when it is gone.
  napi_add_env_cleanup_hook(env, close, queue);
  state->async = queue;
  return queue;
}

uint32_t AsyncQueue::submit(AsyncJob* job, napi_value result, napi_value done) {
  std::unique_ptr<AsyncJob> owned(job);
  if (napi_create_reference(env_, result, 1, &job->result_) != napi_ok ||
      napi_create_reference(env_, done, 1, &job->done_) != napi_ok) {
    if (job->result_ != nullptr) napi_delete_reference(env_, job->result_);
    throw_status(env_, Status::out_of_memory, "job");
    return 0;
  }
  if (++last_id_ == 0) ++last_id_;
  job->id_ = last_id_;
  job->queue_ = this;
  job->run = run;
  link(owned.release());
  if (!ThreadPool::instance().submit(job)) run(job);
  return last_id_;
}

void AsyncQueue::run(ThreadPool::Job* base) {
  auto* job = static_cast<AsyncJob*>(base);
  job->status_ = job->cancelled.load(std::memory_order_relaxed) ? Status::cancelled : job->compute();
  job->queue_->complete(job);
}

void AsyncQueue::complete(AsyncJob* job) {
  // The notification is sent under the lock: once the teardown has seen all jobs complete, nobody is about to send one.
  std::lock_guard<std::mutex> lock(mutex_);
  bool first = completed_ == nullptr;
  job->next_completed_ = nullptr;
  (first ? completed_ : last_completed_->next_completed_) = job;
  last_completed_ = job;
  ++completed_count_;
  if (closing_) {
    all_complete_.notify_all();
  } else if (first) {
    napi_call_threadsafe_function(notify_, nullptr, napi_tsfn_nonblocking);
  }
}

void AsyncQueue::stop(AsyncJob* job) {
  job->cancelled.store(true, std::memory_order_relaxed);
  if (!ThreadPool::instance().withdraw(job)) return;
  job->status_ = Status::cancelled;
  complete(job);
}

void AsyncQueue::cancel(uint32_t id) {
  for (AsyncJob* job = outstanding_; job != nullptr; job = job->next_) {
    if (job->id_ == id) return stop(job);
  }
}

void AsyncQueue::call_js(napi_env env, napi_value, void* context, void*) {
  if (env != nullptr) static_cast<AsyncQueue*>(context)->deliver();
}

void AsyncQueue::deliver() {
  AsyncJob* job;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    job = completed_;
    completed_ = nullptr;
    completed_count_ = 0;
  }
  while (job != nullptr) {
    AsyncJob* next = job->next_completed_;
    unlink(job);
    call_done(job);
    delete job;
    job = next;
  }
}

void AsyncQueue::call_done(AsyncJob* job) {
  napi_handle_scope scope;
  if (napi_open_handle_scope(env_, &scope) != napi_ok) return;
  napi_value done = nullptr, receiver = nullptr, error = nullptr;
  napi_get_reference_value(env_, job->done_, &done);
  napi_get_undefined(env_, &receiver);
  if (job->status_ == Status::ok || job->status_ == Status::cancelled) {
    napi_get_null(env_, &error);
  } else {
    error = make_status_error(env_, job->status_, "x");
  }
  drop_references(job);
  if (done != nullptr && error != nullptr) napi_call_function(env_, receiver, done, 1, &error, nullptr);
  // One callback that throws must not keep the others from being called.
  bool pending = false;
  napi_value exception;
  if (napi_is_exception_pending(env_, &pending) == napi_ok && pending &&
      napi_get_and_clear_last_exception(env_, &exception) == napi_ok) {
    napi_fatal_exception(env_, exception);
  }
  napi_close_handle_scope(env_, scope);
}

void AsyncQueue::drop_references(AsyncJob* job) {
  napi_delete_reference(env_, job->result_);
  napi_delete_reference(env_, job->done_);
}

void AsyncQueue::close(void* data) {
  auto* queue = static_cast<AsyncQueue*>(data);
  for (AsyncJob* job = queue->outstanding_; job != nullptr; job = job->next_) queue->stop(job);
  {
    std::unique_lock<std::mutex> lock(queue->mutex_);
    queue->closing_ = true;
    queue->all_complete_.wait(lock, [&] { return queue->completed_count_ == queue->outstanding_count_; });
  }
  while (AsyncJob* job = queue->outstanding_) {
    queue->outstanding_ = job->next_;
    queue->drop_references(job);
    delete job;
  }
  env_state(queue->env_)->async = nullptr;
  delete queue;
}

void AsyncQueue::link(AsyncJob* job) {
  job->next_ = outstanding_;
  if (outstanding_ != nullptr) outstanding_->previous_ = job;
  outstanding_ = job;
  if (outstanding_count_++ == 0) napi_ref_threadsafe_function(env_, notify_);
}

void AsyncQueue::unlink(AsyncJob* job) {
  (job->previous_ == nullptr ? outstanding_ : job->previous_->next_) = job->next_;
  if (job->next_ != nullptr) job->next_->previous_ = job->previous_;
  if (--outstanding_count_ == 0) napi_unref_threadsafe_function(env_, notify_);
}

}  // namespace qgemm::addon
