/** Computes how fast a total that is read from time to time has grown over the last minute. */
export class RateWindow {
  private readings: { at: number; total: number }[] = [];

  /**
   * @param at time of the reading, in seconds
   * @returns the increase per minute; null until there are two readings, and after the total was reset
   */
  perMinute(at: number, total: number): number | null {
    const previous = this.readings.at(-1);
    if (previous && total < previous.total) this.readings = [];
    this.readings.push({ at, total });
    // One reading from before the last minute is kept as the starting point.
    const within = this.readings.findIndex((reading) => reading.at > at - 60);
    this.readings = this.readings.slice(Math.max(0, within - 1));
    const first = this.readings[0];
    if (!first || at <= first.at) return null;
    return ((total - first.total) / (at - first.at)) * 60;
  }
}
