import type { OperationFigures, TrafficFigures } from '../snapshot/monitoring-snapshot.js';
import type { TimingSummary } from './durations.js';
import type { Traffic } from './traffic-meter.js';

/** Converts a summary to the format of the snapshot. */
export const operationFigures = (stats: TimingSummary): OperationFigures => ({
  count: stats.count,
  errorRatio: stats.errorRate,
  p50Ms: stats.p50Ms,
  p95Ms: stats.p95Ms,
  p99Ms: stats.p99Ms,
});

export const trafficFigures = (stats: Traffic): TrafficFigures => ({
  ...operationFigures(stats),
  ratePerSecond: stats.ratePerSecond,
});
