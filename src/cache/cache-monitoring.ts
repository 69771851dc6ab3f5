import { Inject, Injectable } from '@nestjs/common';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../config/index.js';
import { counter, type ExportedMetric, gauge, Monitoring } from '../monitoring/index.js';
import type { CacheStats } from './cache-stats.js';
import { CacheService } from './cache.service.js';
import { RatioWindow } from './ratio-window.js';

const WINDOW_MS = 60_000;
/** With fewer lookups than this in the last minute, the hit ratio is not compared with its limits. */
const MIN_LOOKUPS = 500;

/** The `cache` section of the snapshot. All tiers combined, unless the name says otherwise. */
export interface CacheSection {
  /** Over the last minute, 0 to 1; null if there were no lookups. */
  hitRatio: number | null;
  /** Number of lookups in that minute. */
  lookups: number;
  lookupsPerSecond: number;
  entries: number;
  memoryBytes: number;
  maxMemoryBytes: number;
  /** Since the start of the process. */
  evictions: number;
}

/** Metrics and snapshot section of the cache. */
@Injectable()
export class CacheMonitoring {
  private readonly window = new RatioWindow(WINDOW_MS);

  constructor(
    monitoring: Monitoring,
    private readonly cache: CacheService,
    @Inject(MONITORING_SETTINGS) { ALERT_CACHE_HIT_RATIO }: MonitoringSettings,
  ) {
    this.window.add({ at: performance.now(), hits: 0, total: 0 });
    monitoring.contribute<CacheSection>({
      metrics: this.metrics(),
      snapshot: {
        name: 'cache',
        read: () => this.section(),
        alerts: (section) => [
          {
            name: 'cache_hit_ratio',
            title: 'The cache hit ratio',
            unit: 'ratio',
            worse: 'lower',
            levels: ALERT_CACHE_HIT_RATIO,
            value: section && section.lookups >= MIN_LOOKUPS ? section.hitRatio : null,
          },
        ],
      },
    });
  }

  private section(): CacheSection {
    const { l1, families } = this.cache.stats();
    const all = Object.values(families);
    const hits = all.reduce((sum, family) => sum + family.hits, 0);
    const total = all.reduce((sum, family) => sum + family.misses, hits);
    const window = this.window.add({ at: performance.now(), hits, total });
    return {
      hitRatio: window.ratio,
      lookups: window.total,
      lookupsPerSecond: window.perSecond,
      entries: l1.entries,
      memoryBytes: l1.bytes,
      maxMemoryBytes: l1.maxBytes,
      evictions: l1.evictions,
    };
  }

  private metrics(): ExportedMetric[] {
    const { cache } = this;
    const read =
      (pick: (stats: CacheStats) => number) =>
      (set: (value: number) => void): void => {
        set(pick(cache.stats()));
      };
    return [
      counter({
        name: 'colloquy_cache_lookups_total',
        help: 'Lookups by tier (l1: this process, l2: Redis) and result',
        labelNames: ['tier', 'result'],
        read: (set) => {
          const { l1, l2 } = cache.stats();
          for (const [tier, { hits, misses }] of Object.entries({ l1, l2 })) {
            set(hits, { tier, result: 'hit' });
            set(misses, { tier, result: 'miss' });
          }
        },
      }),
      counter({
        name: 'colloquy_cache_loads_total',
        help: 'Loads of entries from their source, by key family',
        labelNames: ['family', 'outcome'],
        read: (set) => {
          for (const [family, { loads, loadErrors }] of Object.entries(cache.stats().families)) {
            set(loads - loadErrors, { family, outcome: 'ok' });
            set(loadErrors, { family, outcome: 'error' });
          }
        },
      }),
      counter({
        name: 'colloquy_cache_evictions_total',
        help: 'Entries removed from the memory of this process to make room for others',
        read: read(({ l1 }) => l1.evictions),
      }),
      counter({
        name: 'colloquy_cache_invalidations_total',
        help: 'Invalidations that this process started',
        read: read(({ invalidations }) => invalidations),
      }),
      gauge({
        name: 'colloquy_cache_entries',
        help: 'Entries in the memory of this process',
        read: read(({ l1 }) => l1.entries),
      }),
      gauge({
        name: 'colloquy_cache_memory_bytes',
        help: 'Estimated memory used by these entries',
        read: read(({ l1 }) => l1.bytes),
      }),
    ];
  }
}
