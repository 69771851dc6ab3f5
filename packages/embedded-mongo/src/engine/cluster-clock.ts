/** MongoDB's logical time: seconds since 1970 and an ordinal within the second. */
export interface ClusterTime {
  readonly t: number;
  readonly i: number;
}

/** An idle replica set writes a no-op at least this often, so its clock advances without client writes. */
const IDLE_SECONDS = 10;

/**
 * Assigns each commit a time later than all previous ones, including those from before a restart. In the
 * second in which the store is opened, ordinals start at the current millisecond times one million.
 */
export class ClusterClock {
  private seconds: number;
  private ordinal: number;

  constructor(private readonly now: () => number) {
    const opened = now();
    this.seconds = Math.floor(opened / 1_000);
    this.ordinal = (Math.floor(opened) % 1_000) * 1_000_000 + 1;
  }

  /** The time of the last commit or no-op. */
  get time(): ClusterTime {
    const second = this.second();
    if (second >= this.seconds + IDLE_SECONDS) this.set(second);
    return { t: this.seconds, i: this.ordinal };
  }

  /** Advances the clock. `seconds` and `ordinal` then hold the new time. */
  tick(): ClusterTime {
    const second = this.second();
    if (second > this.seconds) this.set(second);
    else this.ordinal++;
    return { t: this.seconds, i: this.ordinal };
  }

  /** Advances the clock to a time received from elsewhere. Older times have no effect. */
  advanceTo({ t, i }: ClusterTime): void {
    if (t < this.seconds || (t === this.seconds && i <= this.ordinal)) return;
    this.seconds = t;
    this.ordinal = i;
  }

  private set(second: number): void {
    this.seconds = second;
    this.ordinal = 1;
  }

  private second(): number {
    return Math.floor(this.now() / 1_000);
  }
}
