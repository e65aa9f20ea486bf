/** The operations that wait for one signal, behind its one listener. */
class AbortGroup {
  static readonly #groups = new WeakMap<AbortSignal, AbortGroup>();
  readonly #callbacks = new Set<() => void>();
  readonly #signal: AbortSignal;
  readonly #listener = (): void => {
    AbortGroup.#groups.delete(this.#signal);
    for (const callback of this.#callbacks) callback();
  };

  private constructor(signal: AbortSignal) {
    this.#signal = signal;
    AbortGroup.#groups.set(signal, this);
    signal.addEventListener('abort', this.#listener, { once: true });
  }

  static of(signal: AbortSignal): AbortGroup {
    return AbortGroup.#groups.get(signal) ?? new AbortGroup(signal);
  }

  add(callback: () => void): void {
    this.#callbacks.add(callback);
  }

  remove(callback: () => void): void {
    this.#callbacks.delete(callback);
    if (this.#callbacks.size > 0 || this.#signal.aborted) return;
    AbortGroup.#groups.delete(this.#signal);
    this.#signal.removeEventListener('abort', this.#listener);
  }
}

/**
 * Calls `callback` when `signal` is aborted, unless the function that this returns was called before. However many
 * operations share a signal, it has one listener of ours: Node warns of a leak at eleven.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const group = AbortGroup.of(signal);
  group.add(callback);
  return () => group.remove(callback);
}
