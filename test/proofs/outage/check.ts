import type { Sample } from './load.js';
import type { Look } from './probe-watch.js';

/** Time limits, milliseconds. */
export const LIMITS = {
  /** From the outage to the first 503 of /health/ready. */
  noticed: 5000,
  /** From the end of the outage to the first 200 of /health/ready. */
  recovered: 10_000,
  /** From the kill of Redis to `degraded`, and from its restart to `ok`. */
  redis: 5000,
} as const;

export interface OutageFigures {
  name: string;
  outageMs: number;
  /** Undefined if it never happened. */
  noticedMs: number | undefined;
  recoveredMs: number | undefined;
  /** From the end of the outage to the first successful response to a request sent after it. */
  servedMs: number | undefined;
  live: readonly Look[];
  /** Requests that were in progress when the outage began, or were sent during it. */
  during: readonly Sample[];
  /** Requests sent after /health/ready returned 200 again. */
  after: readonly Sample[];
  /** Maximum duration of a request. */
  longestMs: number;
}

export const isSuccess = ({ status }: { status: number }): boolean => status >= 200 && status < 300;

export const longest = (samples: readonly { ms: number }[]): number =>
  samples.reduce((most, { ms }) => Math.max(most, ms), 0);

/** Counts of each outcome, for example `201` or `503 database_unavailable`, the most frequent first. */
export function outcomes(samples: readonly Sample[]): [outcome: string, count: number][] {
  const counts = new Map<string, number>();
  for (const { status, code } of samples) {
    const outcome = code === undefined ? String(status) : `${status} ${code}`;
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }
  return [...counts].sort(([, a], [, b]) => b - a);
}

/** Whether it exceeded the limit or never happened. */
export const isLate = (ms: number | undefined, limit: number): boolean => ms === undefined || ms > limit;

/** One sentence for each limit that was exceeded. */
export function missedLimits(figures: OutageFigures): string[] {
  const { noticedMs, recoveredMs, live, during, after, longestMs } = figures;
  const missed: string[] = [];
  if (isLate(noticedMs, LIMITS.noticed)) missed.push(`ready did not return 503 within ${LIMITS.noticed} ms`);
  if (isLate(recoveredMs, LIMITS.recovered))
    missed.push(`ready did not return 200 within ${LIMITS.recovered} ms of the end of the outage`);
  const unwell = live.filter(({ http }) => http !== 200).length;
  if (live.length === 0) missed.push('live was never requested');
  if (unwell > 0) missed.push(`live returned something other than 200, ${unwell} times`);
  const refused = during.filter((sample) => !isSuccess(sample));
  if (refused.length === 0) missed.push('no request failed during the outage, so nothing was proven');
  const other = refused.filter(({ status, saysWhen }) => status !== 503 || !saysWhen);
  if (other.length > 0)
    missed.push(
      `${other.length} failed requests did not return a 503 problem with Retry-After: ${outcomes(other)
        .map(([outcome, count]) => `${count} x ${outcome}`)
        .join(', ')}`,
    );
  if (longest(during) > longestMs)
    missed.push(`a request took ${Math.round(longest(during))} ms, more than ${longestMs} ms`);
  if (!after.some(isSuccess)) missed.push('no request succeeded after the outage');
  const failedAfter = after.filter((sample) => !isSuccess(sample)).length;
  if (failedAfter > 0) missed.push(`${failedAfter} requests sent after ready returned 200 failed`);
  return missed;
}
