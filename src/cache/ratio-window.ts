interface Sample {
  at: number;
  hits: number;
  total: number;
}

export interface WindowRatio {
  /** Share of hits within the window, 0 to 1; null if there was no lookup. */
  ratio: number | null;
  total: number;
  perSecond: number;
}

/** Ratio of two increasing counters over a sliding window, computed from occasional samples. */
export class RatioWindow {
  private samples: Sample[] = [];

  constructor(private readonly windowMs: number) {}

  add(sample: Sample): WindowRatio {
    this.samples.push(sample);
    // One sample from before the window is kept, so that the whole window is covered.
    while ((this.samples[1]?.at ?? Infinity) <= sample.at - this.windowMs) this.samples.shift();
    const from = this.samples[0] ?? sample;
    const total = sample.total - from.total;
    const seconds = (sample.at - from.at) / 1000;
    return {
      ratio: total > 0 ? (sample.hits - from.hits) / total : null,
      total: Math.max(0, total),
      perSecond: seconds > 0 ? Math.max(0, total) / seconds : 0,
    };
  }
}
