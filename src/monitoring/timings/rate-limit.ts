/** Lets so many through in each window of time and counts the rest. */
export class RateLimit {
  private windowBegan = -Infinity;
  private taken = 0;
  private refused = 0;

  constructor(
    private readonly limit: number,
    private readonly windowMs: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** How many were refused since the last that was let through; undefined: this one is refused. */
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
