interface Waiter {
  enter: () => void;
}

/** Lets a bounded number in at a time; the others wait in the order in which they came. */
export class Semaphore {
  private free: number;
  private readonly waiting = new Set<Waiter>();

  constructor(permits: number) {
    this.free = permits;
  }

  get waiters(): number {
    return this.waiting.size;
  }

  /** @throws the signal's reason when it is aborted before the work begins */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.enter(signal);
    try {
      return await work();
    } finally {
      this.leave();
    }
  }

  private enter(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.free > 0) {
      this.free--;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.waiting.delete(waiter);
        reject(signal?.reason as Error);
      };
      const waiter: Waiter = {
        enter: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.waiting.add(waiter);
    });
  }

  /** Hands the place on without freeing it in between, so that nobody who comes now overtakes those who wait. */
  private leave(): void {
    const [next] = this.waiting;
    if (!next) {
      this.free++;
      return;
    }
    this.waiting.delete(next);
    next.enter();
  }
}
