/** Collects every duration, so that percentiles are exact. */
export class Samples {
  private values = new Float64Array(1024);
  private length = 0;

  get count(): number {
    return this.length;
  }

  add(value: number): void {
    if (this.length === this.values.length) {
      const larger = new Float64Array(this.values.length * 2);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.length++] = value;
  }

  /**
   * For each share (0 to 1), returns the smallest sample that at least this share of all samples does not
   * exceed (nearest rank), or NaN without samples.
   */
  percentiles(...shares: readonly number[]): number[] {
    const sorted = this.values.slice(0, this.length).sort();
    return shares.map((share) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN);
  }
}
