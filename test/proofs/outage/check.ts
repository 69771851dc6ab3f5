import type { Sample } from './load.js';
import type { Look } from './probe-watch.js';

/** What must hold, milliseconds. */
export const MARKS = {
  /** From the outage to the first 503 of /health/ready. */
  noticed: 5000,
  /** From the end of the outage to the first 200 of /health/ready. */
  recovered: 10_000,
  /** From the end of a Redis to `degraded`, and from its return to `ok`. */
  redis: 5000,
} as const;

export interface OutageFigures {
  name: string;
  outageMs: number;
  /** Undefined: never. */
  noticedMs: number | undefined;
  recoveredMs: number | undefined;
  /** From the end of the outage to the first success of a request that was sent after it. */
  servedMs: number | undefined;
  live: readonly Look[];
  /** Requests that were under way in the outage, or sent in it. */
  during: readonly Sample[];
  /** Those sent after /health/ready said yes again. */
  after: readonly Sample[];
  /** Longest time that a request may take. */
  longestMs: number;
}

export const isSuccess = ({ status }: { status: number }): boolean => status >= 200 && status < 300;

export const longest = (samples: readonly { ms: number }[]): number =>
  samples.reduce((most, { ms }) => Math.max(most, ms), 0);

/** How often each outcome came, the most frequent first: `201`, `503 database_unavailable`. */
export function outcomes(samples: readonly Sample[]): [outcome: string, count: number][] {
  const counts = new Map<string, number>();
  for (const { status, code } of samples) {
    const outcome = code === undefined ? String(status) : `${status} ${code}`;
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }
  return [...counts].sort(([, a], [, b]) => b - a);
}

/** It took longer than the mark, or never came. */
export const isLate = (ms: number | undefined, mark: number): boolean => ms === undefined || ms > mark;

/** One sentence for each mark that was missed. */
export function missedMarks(figures: OutageFigures): string[] {
  const { noticedMs, recoveredMs, live, during, after, longestMs } = figures;
  const missed: string[] = [];
  if (isLate(noticedMs, MARKS.noticed)) missed.push(`ready did not turn 503 within ${MARKS.noticed} ms`);
  if (isLate(recoveredMs, MARKS.recovered))
    missed.push(`ready was not back within ${MARKS.recovered} ms of the end of the outage`);
  const unwell = live.filter(({ http }) => http !== 200).length;
  if (live.length === 0) missed.push('live was never asked');
  if (unwell > 0) missed.push(`live answered something else than 200, ${unwell} times`);
  const refused = during.filter((sample) => !isSuccess(sample));
  if (refused.length === 0) missed.push('no request failed in the outage: it has shown nothing');
  const other = refused.filter(({ status, saysWhen }) => status !== 503 || !saysWhen);
  if (other.length > 0)
    missed.push(
      `${other.length} requests failed otherwise than by a 503 problem with Retry-After: ${outcomes(other)
        .map(([outcome, count]) => `${count} x ${outcome}`)
        .join(', ')}`,
    );
  if (longest(during) > longestMs)
    missed.push(`a request took ${Math.round(longest(during))} ms, more than ${longestMs} ms`);
  if (!after.some(isSuccess)) missed.push('no request succeeded after the outage');
  const failedAfter = after.filter((sample) => !isSuccess(sample)).length;
  if (failedAfter > 0) missed.push(`${failedAfter} requests failed that were sent after ready was back`);
  return missed;
}
