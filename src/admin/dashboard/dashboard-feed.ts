import { AsyncLocalStorage } from 'node:async_hooks';
import { dashboardClosing, tooManyViewers } from './dashboard.errors.js';
import type { DashboardSampler } from './dashboard-sampler.js';

/** The open response to one viewer. */
export interface ViewerStream {
  /** Bytes that were written but not yet read by the viewer. */
  readonly pendingBytes: number;
  write(text: string): void;
  /** Ends the response once everything written has been sent. */
  end(): void;
  /** Closes the connection immediately. */
  destroy(): void;
}

interface Viewer {
  stream: ViewerStream;
  /** When the session ends, in milliseconds since 1970. */
  until: number;
  isSignedIn: () => Promise<boolean>;
  /** Consecutive turns in which the viewer had not read what was sent before. */
  stalledTurns: number;
}

export const MAX_VIEWERS = 20;
export const TURN_MS = 2000;
/** A viewer who reads nothing for this many turns is disconnected. */
export const MAX_STALLED_TURNS = 5;
/** How many turns a viewer's stream can outlive the session after a sign-out. */
export const TURNS_BETWEEN_CHECKS = 5;

const RETRY_MS = 3000;
/** A comment, which browsers ignore. It keeps the connection open and detects when it is not. */
const HEARTBEAT = ':\n\n';

const stillTrue = Promise.resolve(true);

/** JSON text has no line breaks, so one data line is enough. */
const event = (name: string, data: unknown): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

/**
 * Sends snapshots to the viewers of the dashboard, with one timer and one snapshot for all, and none without
 * viewers. A viewer that does not keep up misses turns and is eventually disconnected; no more than one turn
 * is buffered for it.
 */
export class DashboardFeed {
  private readonly viewers = new Set<Viewer>();
  private readonly outside = AsyncLocalStorage.snapshot();
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;
  private turns = 0;

  constructor(private readonly sampler: DashboardSampler) {}

  get viewerCount(): number {
    return this.viewers.size;
  }

  /** @throws ProblemError 503 when there are too many viewers, or the service is shutting down */
  assertCapacity(): void {
    if (this.isClosed) throw dashboardClosing();
    if (this.viewers.size >= MAX_VIEWERS) throw tooManyViewers();
  }

  /**
   * Sends the history, then a snapshot immediately and in each turn.
   * @param until when the session ends, in milliseconds since 1970
   * @param isSignedIn called now and then: false once the operator has signed out
   * @returns a function to call when the viewer has disconnected
   */
  add(stream: ViewerStream, until: number, isSignedIn = (): Promise<boolean> => stillTrue): () => void {
    const viewer: Viewer = { stream, until, isSignedIn, stalledTurns: 0 };
    this.viewers.add(viewer);
    stream.write(`retry: ${RETRY_MS}\n${event('history', this.sampler.columns())}`);
    void this.sampler.take(TURN_MS).then((sample) => {
      if (sample && this.viewers.has(viewer)) stream.write(event('snapshot', sample));
    });
    this.timer ??= this.outside(() => setInterval(() => void this.turn(), TURN_MS).unref());
    return () => {
      this.remove(viewer);
    };
  }

  /** Ends all responses and accepts no more viewers. */
  close(): void {
    this.isClosed = true;
    for (const viewer of this.viewers) {
      this.remove(viewer);
      viewer.stream.end();
    }
  }

  private async turn(): Promise<void> {
    if (++this.turns % TURNS_BETWEEN_CHECKS === 0) await this.checkSessions();
    this.dismiss();
    if (this.viewers.size === 0) return;
    // A snapshot that takes longer than a turn must not be awaited twice.
    const sample = this.sampler.isCollecting ? undefined : await this.sampler.take(TURN_MS / 2);
    const text = sample ? event('snapshot', sample) : HEARTBEAT;
    for (const { stream, stalledTurns } of this.viewers) if (stalledTurns === 0) stream.write(text);
  }

  private async checkSessions(): Promise<void> {
    const checks = [...this.viewers].map(async (viewer) => {
      if (!(await viewer.isSignedIn())) viewer.until = 0;
    });
    await Promise.all(checks);
  }

  private dismiss(): void {
    const now = Date.now();
    for (const viewer of this.viewers) {
      const { stream, until } = viewer;
      viewer.stalledTurns = stream.pendingBytes > 0 ? viewer.stalledTurns + 1 : 0;
      if (viewer.stalledTurns >= MAX_STALLED_TURNS) {
        this.remove(viewer);
        stream.destroy();
      } else if (now >= until) {
        this.remove(viewer);
        stream.write(event('signed-out', {}));
        stream.end();
      }
    }
  }

  private remove(viewer: Viewer): void {
    this.viewers.delete(viewer);
    if (this.viewers.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }
}
