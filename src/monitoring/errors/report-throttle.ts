const WINDOW_MS = 60_000;

/** Reports without a key of their own that one process sends in a minute. */
export const MAX_PER_MINUTE = 60;

/** Keys are codes and names; a key beyond this many shares the bound of those without one. */
const MAX_KEYS = 500;

interface Window {
  begunAt: number;
  admitted: number;
  /** Left out since the last one that was let through. */
  omitted: number;
}

/** Keeps a failure that many requests meet from becoming as many reports. */
export class ReportThrottle {
  private readonly windows = new Map<string, Window>();

  /** @param now in milliseconds */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /**
   * Whether to send a report: one a minute for each `key`, and `MAX_PER_MINUTE` of those without a key. Undefined: leave it out; otherwise how
   * many of its kind were left out before it.
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
