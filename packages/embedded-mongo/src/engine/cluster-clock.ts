/** MongoDB's logical time: seconds since 1970 and an ordinal within the second. */
export interface ClusterTime {
  readonly t: number;
  readonly i: number;
}

/** The longest time for which a replica set writes nothing: its clock advances even without writes. */
const IDLE_SECONDS = 10;

/**
 * Gives each commit a time later than all before it, in this life of the store and in earlier ones: the
 * ordinals of the second in which it is opened begin with the millisecond, in steps of a million.
 */
export class ClusterClock {
  private seconds: number;
  private ordinal: number;

  constructor(private readonly now: () => number) {
    const opened = now();
    this.seconds = Math.floor(opened / 1_000);
    this.ordinal = (Math.floor(opened) % 1_000) * 1_000_000 + 1;
  }

  /** The time of the last commit, or of the last sign of life. */
  get time(): ClusterTime {
    const second = this.second();
    if (second >= this.seconds + IDLE_SECONDS) this.set(second);
    return { t: this.seconds, i: this.ordinal };
  }

  /** Advances; the time is then `seconds` and `ordinal`. */
  tick(): ClusterTime {
    const second = this.second();
    if (second > this.seconds) this.set(second);
    else this.ordinal++;
    return { t: this.seconds, i: this.ordinal };
  }

  /** Goes on after a time that is known elsewhere; an older one changes nothing. */
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
