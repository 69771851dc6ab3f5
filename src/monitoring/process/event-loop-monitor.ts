import {
  type EventLoopUtilization,
  type IntervalHistogram,
  monitorEventLoopDelay,
  performance,
} from 'node:perf_hooks';

/** Of the last whole window; of what there is of the first one before that. */
export interface EventLoopStats {
  /** How much later than asked the event loop came round to a timer, milliseconds. */
  lagMeanMs: number;
  lagP50Ms: number;
  lagP99Ms: number;
  lagMaxMs: number;
  /** Share of the time in which the event loop was at work, 0 to 1. */
  utilization: number;
}

const RESOLUTION_MS = 20;
const NS_PER_MS = 1_000_000;
export const EVENT_LOOP_WINDOW_MS = 10_000;

/**
 * Watches the event loop in windows of 10 s, so that all who ask in one window are told the same, whoever else has asked. The delay
 * is sampled natively; nothing of it runs in JavaScript between the windows.
 */
export class EventLoopMonitor {
  private readonly delays: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  private utilizationBefore: EventLoopUtilization = performance.eventLoopUtilization();
  private last: EventLoopStats | undefined;
  private timer: NodeJS.Timeout | undefined;

  start(): void {
    this.delays.enable();
    this.timer = setInterval(() => {
      this.closeWindow();
    }, EVENT_LOOP_WINDOW_MS).unref();
  }

  stop(): void {
    clearInterval(this.timer);
    this.delays.disable();
  }

  stats(): EventLoopStats {
    return this.last ?? this.read();
  }

  private closeWindow(): void {
    this.last = this.read();
    this.delays.reset();
    this.utilizationBefore = performance.eventLoopUtilization();
  }

  private read(): EventLoopStats {
    const { delays } = this;
    // A sample is the whole time between two timers. Before the first sample the mean is not a number.
    const lag = (ns: number): number =>
      delays.count === 0 ? 0 : Math.max(0, ns / NS_PER_MS - RESOLUTION_MS);
    return {
      lagMeanMs: lag(delays.mean),
      lagP50Ms: lag(delays.percentile(50)),
      lagP99Ms: lag(delays.percentile(99)),
      lagMaxMs: lag(delays.max),
      utilization: performance.eventLoopUtilization(this.utilizationBefore).utilization,
    };
  }
}
