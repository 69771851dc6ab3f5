import type { Server } from 'node:http';
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { BatchTimes } from '../../src/transcript/index.js';
import { type Percentiles, percentilesOf } from '../../test/support/percentiles.js';

/** What the process measured since the last reset; times in milliseconds, memory in MiB. */
export interface Figures {
  /** From a request's arrival to its answer, by method and path (ids left out). */
  routes: Record<string, Percentiles>;
  /** `TranscriptService.enqueue()` alone: the wait for the commit. */
  enqueue: Percentiles;
  embed: Percentiles;
  insert: Percentiles;
  batchSize: Percentiles;
  stored: number;
  /** From the first request to the last batch. */
  storedInSeconds: number;
  memory: { heap: number; rss: number };
  /** How late the event loop came back to a timer of 1 ms. */
  loop: { p50: number; p99: number; max: number };
  /** Processor time of the whole process, embedded store included, milliseconds. */
  cpuMs: number;
}

const MIB = 1024 * 1024;
const SAMPLE_MS = 50;
const id = /\/[0-9a-f]{24}$/;

/** Measures in the process of the service. */
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

  /** Notes each request of a server, from the moment that its head was read, before anything of the framework runs. */
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

  /** Resolves when so many transcripts were stored since the last reset. */
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
