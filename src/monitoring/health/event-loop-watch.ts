import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';

const TICK_MS = 500;

/** Ticks that must all be late: one long turn (a garbage collection, a big answer) is none of a probe's business. */
const TICKS = 4;

/** Watches how late the event loop is, by a timer of its own. */
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

  /** By how much each of the last four ticks was late at least, milliseconds; 0 until there were so many. */
  get sustainedDelayMs(): number {
    return this.delays.length < TICKS ? 0 : Math.min(...this.delays);
  }
}
