import { messageOf, withTimeout } from '../../common/index.js';
import type { HealthCheck, HealthFinding, HealthReport, HealthResult } from './health-check.js';

/** Runs under way, most of which outlived their timeout, with which no further one is begun. */
const MAX_RUNNING = 4;

export interface CachedCheckOptions {
  timeoutMs: number;
  /** How long an outcome is answered again without a new run, milliseconds. */
  cacheMs: number;
}

/** Runs a check seldom, however often it is asked: probes that come together share one run, and its outcome serves for `cacheMs`. */
export class CachedCheck {
  private last: { at: number; result: HealthResult } | undefined;
  private flight: Promise<HealthResult> | undefined;
  private running = 0;

  constructor(
    readonly check: HealthCheck,
    private readonly options: CachedCheckOptions,
  ) {}

  /** Never rejects, and never takes longer than the timeout. */
  result(): Promise<HealthResult> {
    if (this.last && performance.now() - this.last.at < this.options.cacheMs)
      return Promise.resolve(this.last.result);
    this.flight ??= this.run().finally(() => (this.flight = undefined));
    return this.flight;
  }

  private async run(): Promise<HealthResult> {
    const begun = performance.now();
    const { status, ...rest } = await this.find();
    const at = performance.now();
    const worst = status === 'down' && this.check.kind === 'degrading' ? 'degraded' : status;
    const result = { status: worst, ...rest, durationMs: Math.round((at - begun) * 10) / 10 };
    this.last = { at, result };
    return result;
  }

  private async find(): Promise<HealthFinding> {
    const { timeoutMs } = this.options;
    // What hangs may hold a connection each: a few are let hang, so that one of them or the next finds out when it is over.
    if (this.running >= MAX_RUNNING)
      return { status: 'down', reason: `${this.running} earlier runs have not ended yet` };
    this.running++;
    const found = Promise.resolve()
      .then(() => this.check.run())
      .catch((error: unknown): HealthFinding => ({ status: 'down', reason: messageOf(error) }))
      .finally(() => this.running--);
    return withTimeout(found, timeoutMs, (): HealthFinding => ({
      status: 'down',
      reason: `no answer within ${timeoutMs} ms`,
    }));
  }
}

/** All checks side by side. */
export async function reportOf(checks: readonly CachedCheck[]): Promise<HealthReport> {
  const results = await Promise.all(
    checks.map(async (cached) => [cached.check.name, await cached.result()] as const),
  );
  return Object.fromEntries(results);
}
