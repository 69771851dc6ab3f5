import {
  type EventLoopUtilization,
  type IntervalHistogram,
  monitorEventLoopDelay,
  performance,
} from 'node:perf_hooks';

/** Figures of the last complete window; of the current one until the first is complete. */
export interface EventLoopStats {
  /** 99th percentile of the delay of timers, milliseconds. */
  lagP99Ms: number;
  /** Share of the time in which the event loop was busy, 0 to 1. */
  utilization: number;
}

const RESOLUTION_MS = 20;
const NS_PER_MS = 1_000_000;
export const EVENT_LOOP_WINDOW_MS = 10_000;

/**
 * Measures the event loop in windows of 10 s, for alerts and the snapshot. The lag that prom-client exports
 * cannot be used for them because each scrape resets it.
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
    // A sample is the complete time between two timer events.
    const p99Ms = delays.count === 0 ? 0 : delays.percentile(99) / NS_PER_MS - RESOLUTION_MS;
    return {
      lagP99Ms: Math.max(0, p99Ms),
      utilization: performance.eventLoopUtilization(this.utilizationBefore).utilization,
    };
  }
}
