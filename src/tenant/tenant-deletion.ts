import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { TransactionRunner } from '../database/index.js';
import { notFound } from '../http/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { RedisService, RedisUnavailableError } from '../redis/index.js';
import { ApiKeyRepository } from './api-key.repository.js';
import { KeyVerifier } from './key-verifier.js';
import { TenantDataRepository } from './tenant-data.repository.js';
import { TenantDirectory } from './tenant-directory.js';
import { TenantRepository } from './tenant.repository.js';
import type { Tenant } from './tenant.types.js';

/** Documents deleted per statement. Small, so that other operations are not held up. */
const BATCH = 500;

/** Finds deletions that were interrupted. */
const SWEEP_INTERVAL_MS = 60_000;

/** Time between two sweeps while a tenant is being deleted. */
const CONTINUE_MS = 5000;

/** Number of keys that Redis looks at per call. */
const SCANNED_KEYS = 1000;

/**
 * A deletion ends no sooner than this after its beginning. Requests that were accepted before it, in any
 * process, have stored their last document by then: other processes reject the tenant's keys within a second,
 * a retry of a message is rejected, and jobs notice within ten seconds that their record is gone.
 */
export const SETTLE_MS = 15_000;

/** What a module keeps of tenants outside of collections, for example in memory or in Redis. */
export interface TenantData {
  /** Names the module in logs. */
  readonly name: string;
  /** Deletes all of it. Called repeatedly, also when there is nothing left. */
  erase(tenantId: string, signal: AbortSignal): Promise<void>;
}

/**
 * Deletes whole tenants. The first step marks the tenant and deletes its keys, so that no new request is
 * accepted. Then sweeps of all processes delete, in batches, the documents of every model with a `tenantId`,
 * what modules contributed, and the tenant's keys in Redis. Every step may be repeated, and a deletion that a
 * crash interrupts is continued by the next sweep. The tenant itself is deleted last; until then its id is
 * taken.
 */
@Injectable()
export class TenantDeletion implements BeforeApplicationShutdown {
  private readonly contributions: TenantData[] = [];
  private readonly stopping = new AbortController();
  private sweeping: Promise<boolean> | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly tenants: TenantRepository,
    private readonly keys: ApiKeyRepository,
    private readonly data: TenantDataRepository,
    private readonly verifier: KeyVerifier,
    private readonly directory: TenantDirectory,
    private readonly transactions: TransactionRunner,
    private readonly redis: RedisService,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Call in the constructor or in `onModuleInit` of a provider. */
  contribute(data: TenantData): void {
    this.contributions.push(data);
  }

  /**
   * Begins the deletion, which continues in the background. Calling it again while the tenant is being deleted
   * changes nothing.
   * @throws ProblemError 404 `tenant_not_found`
   */
  async begin(tenantId: string): Promise<Tenant> {
    const tenant = await this.transactions.run(async () => {
      const marked = await this.tenants.beginDeletion(tenantId, new Date());
      if (marked) await this.keys.deleteAll(tenantId);
      return marked;
    });
    if (!tenant) {
      const present = await this.tenants.find(tenantId);
      if (!present) throw notFound('tenant', tenantId);
      return present;
    }
    await this.directory.forget(tenantId);
    await this.verifier.forget();
    this.logger.info({ tenant: tenantId }, 'deleting the tenant');
    void this.scheduledSweep();
    return tenant;
  }

  @Interval('tenant-deletion-sweep', SWEEP_INTERVAL_MS)
  async scheduledSweep(): Promise<void> {
    let mustContinue = true;
    try {
      mustContinue = await this.sweep(new Date());
    } catch (error) {
      if (!this.stopping.signal.aborted)
        this.logger.error({ err: error }, 'the deletion of a tenant failed; the next sweep continues it');
    }
    clearTimeout(this.timer);
    if (!mustContinue || this.stopping.signal.aborted) return;
    this.timer = setTimeout(() => void this.scheduledSweep(), CONTINUE_MS);
    this.timer.unref();
  }

  /**
   * Continues all deletions, and ends those that are complete at `now`. Runs only once at a time. Returns
   * whether any is left.
   */
  sweep(now: Date): Promise<boolean> {
    this.sweeping ??= this.continueAll(now).finally(() => (this.sweeping = undefined));
    return this.sweeping;
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort(new Error('the process is shutting down'));
    clearTimeout(this.timer);
    await this.sweeping?.catch(() => undefined);
  }

  private async continueAll(now: Date): Promise<boolean> {
    let isLeft = false;
    for (const { tenantId, deletion } of await this.tenants.beingDeleted()) {
      const deleted = await this.deleteData(tenantId);
      const isSettled = deletion !== undefined && now.getTime() - deletion.startedAt.getTime() >= SETTLE_MS;
      if (deleted > 0 || !isSettled) {
        isLeft = true;
        continue;
      }
      await this.tenants.endDeletion(tenantId);
      await this.directory.forget(tenantId);
      // The invalidation itself leaves a key.
      await this.deleteKeysInRedis(tenantId, this.stopping.signal);
      this.logger.info({ tenant: tenantId }, 'the tenant was deleted');
    }
    return isLeft;
  }

  /** Returns the number of documents that were left. */
  private async deleteData(tenantId: string): Promise<number> {
    const { signal } = this.stopping;
    for (const contribution of this.contributions) {
      signal.throwIfAborted();
      await contribution.erase(tenantId, signal);
    }
    let total = 0;
    for (const model of this.data.models()) {
      let deleted: number;
      do {
        signal.throwIfAborted();
        deleted = await this.data.deleteSome(model, tenantId, BATCH);
        total += deleted;
        if (deleted > 0) await this.tenants.countDeleted(tenantId, deleted);
      } while (deleted === BATCH);
    }
    await this.deleteKeysInRedis(tenantId, signal);
    return total;
  }

  /** Cache entries and session copies. Entries of a server that is down expire by themselves. */
  private async deleteKeysInRedis(tenantId: string, signal: AbortSignal): Promise<void> {
    if (!this.redis.available) return;
    const pattern = this.redis.keys('tenant').allOf(tenantId);
    try {
      let cursor = '0';
      do {
        signal.throwIfAborted();
        cursor = await this.redis.call(async (client) => {
          const [next, keys] = await client.scan(cursor, 'MATCH', pattern, 'COUNT', SCANNED_KEYS);
          if (keys.length > 0) await client.unlink(...keys);
          return next;
        });
      } while (cursor !== '0');
    } catch (error) {
      if (!(error instanceof RedisUnavailableError)) throw error;
    }
  }
}
