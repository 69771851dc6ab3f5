import type { ProbeEvent } from './probe-queues.js';

export interface Spread {
  least: number;
  mean: number;
  most: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sum = values.reduce((total, value) => total + value, 0);
  return { least: Math.min(...values), mean: sum / values.length, most: Math.max(...values) };
}

/** For each job, the milliseconds between the start of attempt `attempt` and the start of the next one. */
export function gapsAfter(events: readonly ProbeEvent[], attempt: number): number[] {
  const begins = (wanted: number): Map<number, number> =>
    new Map(events.filter((event) => event.attempt === wanted).map(({ n, began }) => [n, began]));
  const later = begins(attempt + 1);
  return [...begins(attempt)].flatMap(([n, began]) => {
    const next = later.get(n);
    return next === undefined ? [] : [next - began];
  });
}

/** Jobs started per second, measured from the first start to the last. */
export function rateOf(events: readonly ProbeEvent[]): number {
  const times = events.map(({ began }) => began);
  return ((times.length - 1) * 1000) / (Math.max(...times) - Math.min(...times));
}

/** The highest number of jobs that ran at the same time. */
export function mostAtOnce(events: readonly ProbeEvent[]): number {
  const changes = events
    .flatMap(({ began, ended }) => [
      { at: began, by: 1 },
      { at: ended ?? Infinity, by: -1 },
    ])
    .sort((a, b) => a.at - b.at || a.by - b.by);
  let now = 0;
  let most = 0;
  for (const { by } of changes) {
    now += by;
    most = Math.max(most, now);
  }
  return most;
}
