/** Counts by key. A count of zero takes no memory. */
export class Counts {
  private readonly counts = new Map<string, number>();

  of(key: string): number {
    return this.counts.get(key) ?? 0;
  }

  /** Adds an amount, which may be negative, and returns the new count. */
  add(key: string, amount: number): number {
    const count = this.of(key) + amount;
    if (count === 0) this.counts.delete(key);
    else this.counts.set(key, count);
    return count;
  }
}
