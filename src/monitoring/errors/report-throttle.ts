const WINDOW_MS = 60_000;

/** Maximum number of reports without a key that a process sends per minute. */
export const MAX_PER_MINUTE = 60;

/** Keys are error codes and names. Keys beyond this number share the limit of reports without a key. */
const MAX_KEYS = 500;

interface Window {
  begunAt: number;
  admitted: number;
  /** Number of reports omitted since the last one that was sent. */
  omitted: number;
}

/** Limits error reports when many requests fail in the same way. */
export class ReportThrottle {
  private readonly windows = new Map<string, Window>();

  /** @param now returns milliseconds */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /**
   * Decides whether to send a report: one per minute for each `key`, and `MAX_PER_MINUTE` without a key.
   * Returns undefined if it must not be sent, otherwise how many of the same kind were omitted before it.
   */
  admit(key?: string): number | undefined {
    const own = key !== undefined && (this.windows.has(`=${key}`) || this.windows.size < MAX_KEYS);
    const window = this.windowOf(own ? `=${key}` : '');
    if (window.admitted >= (own ? 1 : MAX_PER_MINUTE)) {
      window.omitted++;
      return undefined;
    }
    window.admitted++;
    const { omitted } = window;
    window.omitted = 0;
    return omitted;
  }

  private windowOf(name: string): Window {
    const now = this.now();
    const window = this.windows.get(name) ?? { begunAt: now, admitted: 0, omitted: 0 };
    if (now - window.begunAt >= WINDOW_MS) {
      window.begunAt = now;
      window.admitted = 0;
    }
    this.windows.set(name, window);
    return window;
  }
}
