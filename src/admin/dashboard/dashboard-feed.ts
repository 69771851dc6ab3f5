import { AsyncLocalStorage } from 'node:async_hooks';
import { dashboardClosing, tooManyViewers } from './dashboard.errors.js';
import type { DashboardSampler } from './dashboard-sampler.js';

/** The open answer to one viewer. */
export interface ViewerStream {
  /** Bytes that were written and that the viewer has not taken. */
  readonly pendingBytes: number;
  write(text: string): void;
  /** Ends the answer when what was written is out. */
  end(): void;
  /** Ends it at once. */
  destroy(): void;
}

interface Viewer {
  stream: ViewerStream;
  /** When the sign-in ends, milliseconds since 1970. */
  until: number;
  /** Turns in a row in which the viewer had not taken what it was sent before. */
  stalledTurns: number;
}

export const MAX_VIEWERS = 20;
export const TURN_MS = 2000;
/** A viewer who takes nothing for so many turns is gone. */
export const MAX_STALLED_TURNS = 5;

const RETRY_MS = 3000;
/** A comment, which browsers leave out: it keeps the connection open and finds out whether it is. */
const HEARTBEAT = ':\n\n';

/** JSON has no line breaks, so one line of data holds it. */
const event = (name: string, data: unknown): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

/**
 * Sends what the dashboard shows to whoever looks at it: one timer and one snapshot for all, and none while nobody looks. A viewer
 * that does not keep up misses turns and is dropped in the end; no more than one turn is ever buffered for it.
 */
export class DashboardFeed {
  private readonly viewers = new Set<Viewer>();
  private readonly outside = AsyncLocalStorage.snapshot();
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;

  constructor(private readonly sampler: DashboardSampler) {}

  get viewerCount(): number {
    return this.viewers.size;
  }

  /** @throws ProblemError when there are too many viewers, or the service is closing */
  assertRoom(): void {
    if (this.isClosed) throw dashboardClosing();
    if (this.viewers.size >= MAX_VIEWERS) throw tooManyViewers();
  }

  /**
   * Begins with the history, then tells how things are, at once and in each turn.
   * @param until when the sign-in ends, milliseconds since 1970
   * @returns what to call when the viewer has gone
   */
  add(stream: ViewerStream, until: number): () => void {
    const viewer: Viewer = { stream, until, stalledTurns: 0 };
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

  /** Ends all answers; nobody is let in any more. */
  close(): void {
    this.isClosed = true;
    for (const viewer of this.viewers) {
      this.remove(viewer);
      viewer.stream.end();
    }
  }

  private async turn(): Promise<void> {
    this.dismiss();
    if (this.viewers.size === 0) return;
    // A snapshot that takes longer than a turn must not be waited for twice.
    const sample = this.sampler.isCollecting ? undefined : await this.sampler.take(TURN_MS / 2);
    const text = sample ? event('snapshot', sample) : HEARTBEAT;
    for (const { stream, stalledTurns } of this.viewers) if (stalledTurns === 0) stream.write(text);
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
