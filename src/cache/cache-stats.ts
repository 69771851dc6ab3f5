import type { RedisStats } from '../redis/index.js';

export interface TierStats {
  hits: number;
  misses: number;
  /** Share of hits among all lookups, 0 to 1; null before the first lookup. */
  hitRate: number | null;
}

export interface FamilyStats extends TierStats {
  loads: number;
  loadErrors: number;
  /** Mean, in milliseconds; null before the first load. */
  meanLoadMs: number | null;
  maxLoadMs: number;
}

export interface CacheStats {
  l1: TierStats & {
    entries: number;
    maxEntries: number;
    /** Estimated. */
    bytes: number;
    maxBytes: number;
    /** Entries removed because of the limits. */
    evictions: number;
  };
  l2: TierStats &
    RedisStats & {
      /** Invalidations that have not reached Redis yet. */
      pendingInvalidations: number;
      /**
       * Lookups that skipped Redis: it was unavailable, an invalidation was pending, or the tenant is
       * excluded.
       */
      skipped: number;
    };
  invalidations: number;
  /** How often a process waited CACHE_LOAD_WAIT_MS for another process's load without getting an entry. */
  loadWaitTimeouts: number;
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

/** Counts the lookups and loads of one cache family. */
export class FamilyCounter {
  hits = 0;
  misses = 0;
  private loads = 0;
  private loadErrors = 0;
  private loadMs = 0;
  private maxLoadMs = 0;

  async timed<T>(load: () => Promise<T>): Promise<T> {
    const began = performance.now();
    this.loads++;
    try {
      return await load();
    } catch (error) {
      this.loadErrors++;
      throw error;
    } finally {
      const ms = performance.now() - began;
      this.loadMs += ms;
      this.maxLoadMs = Math.max(this.maxLoadMs, ms);
    }
  }

  stats(): FamilyStats {
    const { loads, loadErrors, loadMs, maxLoadMs } = this;
    const meanLoadMs = loads === 0 ? null : loadMs / loads;
    return { ...tierStats(this), loads, loadErrors, meanLoadMs, maxLoadMs };
  }
}
