/**
 * Runs work for the same key sequentially, in the order of arrival, and work for different keys concurrently.
 * Only within this process: across processes, document versions or the database's conflict detection prevent
 * lost updates.
 */
export class KeyedSerializer {
  private readonly tails = new Map<string, Promise<void>>();

  /** Number of keys with running or waiting work. */
  get size(): number {
    return this.tails.size;
  }

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const previous = this.tails.get(key);
    let release!: () => void;
    const tail = new Promise<void>((resolve) => (release = resolve));
    this.tails.set(key, tail);
    try {
      await previous;
      return await work();
    } finally {
      if (this.tails.get(key) === tail) this.tails.delete(key);
      release();
    }
  }
}
