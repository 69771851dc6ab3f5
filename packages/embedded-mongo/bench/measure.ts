import { createHistogram, performance } from 'node:perf_hooks';

export interface Measurement {
  /** Units (documents, operations or transactions) per second. */
  perSecond: number;
  /** Time of one call, in milliseconds. */
  p50: number;
  p95: number;
  p99: number;
  max: number;
  calls: number;
  /**
   * CPU time of this process per unit, in microseconds. For the embedded store this includes both driver and
   * store.
   */
  cpuPerUnit: number;
}

/**
 * Calls `work` from `clients` concurrent loops, for `warmUpMs` unmeasured and then for `measureMs`. A call
 * counts if it starts and ends within the measured time. The first failed call ends the run, and its error is
 * thrown.
 */
export async function measure(
  work: (client: number) => Promise<unknown>,
  options: { clients: number; unitsPerCall: number; warmUpMs: number; measureMs: number },
): Promise<Measurement> {
  const histogram = createHistogram({ lowest: 1, highest: 60_000_000_000, figures: 3 });
  const from = performance.now() + options.warmUpMs;
  const until = from + options.measureMs;
  let cpuBefore: NodeJS.CpuUsage | undefined;
  let failed = false;

  const loop = async (client: number): Promise<void> => {
    for (let started = performance.now(); started < until && !failed; started = performance.now()) {
      if (started >= from) cpuBefore ??= process.cpuUsage();
      await work(client);
      const ended = performance.now();
      if (started >= from && ended <= until)
        histogram.record(Math.max(1, Math.round((ended - started) * 1e6)));
    }
  };
  try {
    await Promise.all(Array.from({ length: options.clients }, (_, client) => loop(client)));
  } catch (error) {
    failed = true;
    throw error;
  }
  const { user, system } = process.cpuUsage(cpuBefore);
  const calls = histogram.count;
  const units = calls * options.unitsPerCall;
  const ms = (percentile: number): number => histogram.percentile(percentile) / 1e6;
  return {
    perSecond: (units / options.measureMs) * 1_000,
    p50: ms(50),
    p95: ms(95),
    p99: ms(99),
    max: histogram.max / 1e6,
    calls,
    cpuPerUnit: units === 0 ? NaN : (user + system) / units,
  };
}
