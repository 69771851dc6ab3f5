/** Allows a fixed number of operations per time window and counts the rejected ones. */
export class RateLimit {
  private windowBegan = -Infinity;
  private taken = 0;
  private refused = 0;

  constructor(
    private readonly limit: number,
    private readonly windowMs: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Returns how many were rejected since the last allowed one; undefined if this one is rejected. */
  take(): number | undefined {
    const now = this.now();
    if (now - this.windowBegan >= this.windowMs) {
      this.windowBegan = now;
      this.taken = 0;
    }
    if (this.taken >= this.limit) {
      this.refused++;
      return undefined;
    }
    this.taken++;
    const before = this.refused;
    this.refused = 0;
    return before;
  }
}
