import type { ServiceSnapshot } from './service-snapshot.js';

/** The values shown in the charts, in order. */
export const CHARTED = [
  'requestsPerSecond',
  'errorRatio',
  'p50Ms',
  'p95Ms',
  'p99Ms',
  'eventLoopLagMs',
  'heapBytes',
  'rssBytes',
  'poolInUse',
  'poolWaiting',
  'queueBacklog',
  'cacheHitRatio',
  'transcriptsQueued',
  'transcriptsStoredPerMinute',
] as const;

export type Charted = (typeof CHARTED)[number];

/** The charted values at one time; null when there is no value. */
export interface ChartPoint extends Record<Charted, number | null> {
  /** Seconds since 1970. */
  at: number;
}

/** Rounds to four significant digits: more than a chart shows, and short to transmit. */
const short = (value: number | null): number | null =>
  value === null || !Number.isFinite(value) ? null : Number(value.toPrecision(4));

export function chartPoint(snapshot: ServiceSnapshot, transcriptsStoredPerMinute: number | null): ChartPoint {
  const { requests, process, database, queues, cache, transcripts } = snapshot;
  return {
    at: Date.parse(snapshot.at) / 1000,
    requestsPerSecond: short(requests.ratePerSecond),
    errorRatio: requests.count === 0 ? null : short(requests.errorRatio),
    p50Ms: short(requests.p50Ms),
    p95Ms: short(requests.p95Ms),
    p99Ms: short(requests.p99Ms),
    eventLoopLagMs: short(process.eventLoopLagP99Ms),
    heapBytes: short(process.heapUsedBytes),
    rssBytes: short(process.rssBytes),
    poolInUse: database.pool.inUse,
    poolWaiting: database.pool.waiting,
    queueBacklog: queues && queues.reduce((sum, { waiting }) => sum + waiting, 0),
    cacheHitRatio: short(cache.hitRatio),
    transcriptsQueued: transcripts && transcripts.queued + transcripts.processing,
    transcriptsStoredPerMinute: short(transcriptsStoredPerMinute),
  };
}
