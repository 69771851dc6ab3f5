import { LRUCache } from 'lru-cache';
import { messageOf } from '../common/index.js';
import type { PlanLimits } from '../config/index.js';
import type { Logger } from '../logging/index.js';
import { quotaExceeded } from './tenant.errors.js';
import type { MonotonicClock } from './tenant.tokens.js';
import type { TenantIdentity, Usage, UsageLimits } from './tenant.types.js';

interface State {
  usage?: Usage;
  /** The time at which the last measurement began, ms. */
  measuredAt: number;
  /** Duration of the last measurement, ms. */
  tookMs: number;
  isMeasuring: boolean;
  /** Accepted since `measuredAt`. */
  bytes: number;
  requests: number;
}

const MAX_TENANTS = 10_000;
/** A measurement is repeated after the tenant has sent this share of a limit, ... */
const SHARE = 1 / 20;
/** ... or after this time, because other processes accept requests, too, ... */
const MAX_AGE_MS = 3_600_000;
/** ... or, if a limit is exceeded, as soon as this, because the tenant may have deleted something. */
const EXCEEDED_MAX_AGE_MS = 5000;
/** Measuring takes at most this share of the time. */
const MEASURING_SHARE = 1 / 5;

/**
 * Limits what a tenant can store, by its plan. The usage is measured in the background from what is really
 * stored, so it includes everything and follows deletions; between two measurements a tenant may exceed a limit
 * by what it sends meanwhile, about a twentieth. Tenants of plans without a limit are not measured.
 */
export class Quotas {
  private readonly states = new LRUCache<string, State>({ max: MAX_TENANTS });

  constructor(
    private readonly limits: { bytes: PlanLimits; documents: PlanLimits },
    private readonly measure: (tenantId: string) => Promise<Usage>,
    private readonly clock: MonotonicClock,
    private readonly logger: Logger,
  ) {}

  /** The limits of a plan; members that are absent have none. */
  limitsOf(plan: TenantIdentity['plan']): UsageLimits {
    const [bytes, documents] = [this.limits.bytes[plan], this.limits.documents[plan]];
    return { ...(bytes !== undefined && { bytes }), ...(documents !== undefined && { documents }) };
  }

  /**
   * Must be called for each request of a tenant that may store something.
   * @throws ProblemError 507 `quota_exceeded`
   */
  check({ tenantId, plan }: TenantIdentity): void {
    const limits = this.limitsOf(plan);
    if (limits.bytes === undefined && limits.documents === undefined) return;
    let state = this.states.get(tenantId);
    if (!state) {
      state = { measuredAt: 0, tookMs: 0, isMeasuring: false, bytes: 0, requests: 0 };
      this.states.set(tenantId, state);
    }
    const { usage } = state;
    const isExceeded = usage !== undefined && exceeds(usage, limits);
    if (!isExceeded) state.requests += 1;
    if (this.isDue(state, limits, isExceeded)) void this.update(tenantId, state, limits);
    if (isExceeded) throw quotaExceeded(plan, usage, limits);
  }

  /** Must be called when the body of a request that `check` accepted has been read. */
  addBytes({ tenantId }: TenantIdentity, bytes: number): void {
    const state = this.states.get(tenantId);
    if (state) state.bytes += bytes;
  }

  private isDue(state: State, limits: UsageLimits, isExceeded: boolean): boolean {
    if (state.isMeasuring) return false;
    const age = this.clock.now() - state.measuredAt;
    if (age * MEASURING_SHARE < state.tookMs) return false;
    if (!state.usage) return true;
    return (
      age > (isExceeded ? EXCEEDED_MAX_AGE_MS : MAX_AGE_MS) ||
      state.bytes > (limits.bytes ?? Infinity) * SHARE ||
      state.requests > (limits.documents ?? Infinity) * SHARE
    );
  }

  private async update(tenantId: string, state: State, limits: UsageLimits): Promise<void> {
    const before = state.usage;
    state.isMeasuring = true;
    state.measuredAt = this.clock.now();
    state.bytes = 0;
    state.requests = 0;
    try {
      const usage = await this.measure(tenantId);
      state.usage = usage;
      if (exceeds(usage, limits) && !(before && exceeds(before, limits)))
        this.logger.warn({ tenantId, usage, limits }, 'the tenant exceeds its quota; its writes are refused');
    } catch (error) {
      this.logger.warn(
        { tenantId, error: messageOf(error) },
        'the usage of the tenant could not be measured',
      );
    } finally {
      state.tookMs = this.clock.now() - state.measuredAt;
      state.isMeasuring = false;
    }
  }
}

const exceeds = ({ bytes, documents }: Usage, limits: UsageLimits): boolean =>
  bytes >= (limits.bytes ?? Infinity) || documents >= (limits.documents ?? Infinity);
