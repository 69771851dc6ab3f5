import type { RedisStats } from '../redis/index.js';

export interface TierStats {
  hits: number;
  misses: number;
  /** Hits of all that were asked for, 0 to 1; null before the first. */
  hitRate: number | null;
}

export interface FamilyStats extends TierStats {
  loads: number;
  loadErrors: number;
  /** Mean and longest time of a load, milliseconds. */
  meanLoadMs: number | null;
  maxLoadMs: number;
  /** Answers with an entry that was due, while a fresh one was loaded. */
  staleServes: number;
}

export interface CacheStats {
  l1: TierStats & {
    entries: number;
    maxEntries: number;
    /** Estimated. */
    bytes: number;
    maxBytes: number;
    /** Entries that made room for others. */
    evictions: number;
  };
  l2: TierStats &
    RedisStats & {
      /** Tenants with invalidations that Redis has not been notified of yet. */
      pendingInvalidations: number;
      /** Times that Redis was not asked: it was away, an invalidation was on its way, or the tenant is kept out. */
      skipped: number;
    };
  invalidations: number;
  /** Waits for another process's load that ended without an entry. */
  waitsInVain: number;
  families: Record<string, FamilyStats>;
}

interface Counts {
  hits: number;
  misses: number;
}

export const tierStats = ({ hits, misses }: Counts): TierStats => ({
  hits,
  misses,
  hitRate: hits + misses === 0 ? null : hits / (hits + misses),
});

/** Counts what one family of keys cost. */
export class FamilyCounter {
  hits = 0;
  misses = 0;
  staleServes = 0;
  private loads = 0;
  private loadErrors = 0;
  private loadMs = 0;
  private maxLoadMs = 0;

  async timed<T>(load: () => Promise<T>): Promise<T> {
    const begun = performance.now();
    this.loads++;
    try {
      return await load();
    } catch (error) {
      this.loadErrors++;
      throw error;
    } finally {
      const ms = performance.now() - begun;
      this.loadMs += ms;
      this.maxLoadMs = Math.max(this.maxLoadMs, ms);
    }
  }

  stats(): FamilyStats {
    const { loads, loadErrors, loadMs, maxLoadMs, staleServes } = this;
    const meanLoadMs = loads === 0 ? null : loadMs / loads;
    return { ...tierStats(this), loads, loadErrors, meanLoadMs, maxLoadMs, staleServes };
  }
}
