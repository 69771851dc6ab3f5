import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';

const TICK_MS = 500;

/**
 * Number of consecutive ticks that must all be late, so that a single long turn (garbage collection, a large
 * response) does not fail the probe.
 */
const TICKS = 4;

/** Measures the delay of the event loop with its own timer. */
@Injectable()
export class EventLoopWatch implements OnModuleInit, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  private lastTick = 0;
  private readonly delays: number[] = [];

  onModuleInit(): void {
    this.lastTick = performance.now();
    this.timer = setInterval(() => {
      const now = performance.now();
      this.delays.push(Math.max(0, now - this.lastTick - TICK_MS));
      if (this.delays.length > TICKS) this.delays.shift();
      this.lastTick = now;
    }, TICK_MS);
    this.timer.unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  /** Minimum delay of the last four ticks, milliseconds; 0 until there have been four. */
  get sustainedDelayMs(): number {
    return this.delays.length < TICKS ? 0 : Math.min(...this.delays);
  }
}
