import type { Server } from 'node:http';
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { BatchTimes } from '../../src/transcript/index.js';
import { type Percentiles, percentilesOf } from '../../test/support/percentiles.js';

/** What the process measured since the last reset. Times are in milliseconds, memory in MiB. */
export interface Figures {
  /** From the arrival of a request to its response, by method and path without ids. */
  routes: Record<string, Percentiles>;
  /** Only `TranscriptService.enqueue()`, which waits for the commit. */
  enqueue: Percentiles;
  embed: Percentiles;
  insert: Percentiles;
  batchSize: Percentiles;
  stored: number;
  /** From the first request to the last batch. */
  storedInSeconds: number;
  memory: { heap: number; rss: number };
  /** Delay of the event loop for a timer of 1 ms. */
  loop: { p50: number; p99: number; max: number };
  /** CPU time of the whole process, including the embedded store, in milliseconds. */
  cpuMs: number;
}

const MIB = 1024 * 1024;
const SAMPLE_MS = 50;
const id = /\/[0-9a-f]{24}$/;

/** Records measurements in the process of the service. */
export class FigureRecorder {
  private routes = new Map<string, number[]>();
  private enqueues: number[] = [];
  private batches: BatchTimes[] = [];
  private waiters: { count: number; resolve: () => void }[] = [];
  private stored = 0;
  private begunAt: number | undefined;
  private storedAt = 0;
  private memory = { heap: 0, rss: 0 };
  private readonly loop: IntervalHistogram = monitorEventLoopDelay({ resolution: 1 });
  private cpuBefore = process.cpuUsage();

  constructor() {
    this.loop.enable();
    setInterval(() => this.sample(), SAMPLE_MS).unref();
  }

  /** Records each request of a server, from the time its headers were read, before the framework runs. */
  watch(server: Server): void {
    server.prependListener('request', (request, response) => {
      const begun = performance.now();
      const path = request.url?.split('?', 1)[0]?.replace(id, '/:id') ?? '';
      if (path.startsWith('/control/')) return;
      this.begunAt ??= begun;
      response.once('finish', () => {
        const route = `${request.method ?? ''} ${path}`;
        const times = this.routes.get(route) ?? [];
        times.push(performance.now() - begun);
        this.routes.set(route, times);
      });
    });
  }

  addEnqueue(ms: number): void {
    this.enqueues.push(ms);
  }

  addBatch(batch: BatchTimes): void {
    this.batches.push(batch);
    this.stored += batch.size;
    this.storedAt = performance.now();
    for (const waiter of this.waiters) if (this.stored >= waiter.count) waiter.resolve();
    this.waiters = this.waiters.filter(({ count }) => this.stored < count);
  }

  /** Resolves when this many transcripts have been stored since the last reset. */
  untilStored(count: number): Promise<void> {
    if (this.stored >= count) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push({ count, resolve }));
  }

  reset(): void {
    this.routes = new Map();
    this.enqueues = [];
    this.batches = [];
    this.stored = 0;
    this.begunAt = undefined;
    this.memory = { heap: 0, rss: 0 };
    this.loop.reset();
    this.cpuBefore = process.cpuUsage();
    this.sample();
  }

  figures(): Figures {
    const { user, system } = process.cpuUsage(this.cpuBefore);
    const ms = (nanoseconds: number): number => nanoseconds / 1e6;
    const { loop } = this;
    return {
      routes: Object.fromEntries([...this.routes].map(([route, times]) => [route, percentilesOf(times)])),
      enqueue: percentilesOf(this.enqueues),
      embed: percentilesOf(this.batches.map(({ embedMs }) => embedMs)),
      insert: percentilesOf(this.batches.map(({ storeMs }) => storeMs)),
      batchSize: percentilesOf(this.batches.map(({ size }) => size)),
      stored: this.stored,
      storedInSeconds: (this.storedAt - (this.begunAt ?? 0)) / 1000,
      memory: this.memory,
      loop: { p50: ms(loop.percentile(50)), p99: ms(loop.percentile(99)), max: ms(loop.max) },
      cpuMs: (user + system) / 1000,
    };
  }

  private sample(): void {
    const { heapUsed, rss } = process.memoryUsage();
    this.memory = {
      heap: Math.max(this.memory.heap, heapUsed / MIB),
      rss: Math.max(this.memory.rss, rss / MIB),
    };
  }
}
