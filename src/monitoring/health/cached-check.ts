import { messageOf, withTimeout } from '../../common/index.js';
import type { HealthCheck, HealthFinding, HealthResult } from './health-check.js';

/**
 * Maximum number of concurrent runs. Runs overlap only if they exceed their timeout. At the maximum, no run
 * starts until one has ended.
 */
const MAX_RUNNING = 4;

export interface CachedCheckOptions {
  timeoutMs: number;
  /** How long a result is reused, milliseconds. */
  cacheMs: number;
}

/** Limits how often a check runs: concurrent probes share one run, and its result is reused for `cacheMs`. */
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
    // The number is limited because each run that hangs may occupy a connection.
    if (this.running >= MAX_RUNNING)
      return { status: 'down', reason: `${this.running} earlier runs of this check have not ended` };
    this.running++;
    const found = Promise.resolve()
      .then(() => this.check.run())
      .catch((error: unknown): HealthFinding => ({ status: 'down', reason: messageOf(error) }))
      .finally(() => this.running--);
    return withTimeout(found, timeoutMs, (): HealthFinding => ({
      status: 'down',
      reason: `no response within ${timeoutMs} ms`,
    }));
  }
}
