export { CacheFamily, type CacheKey, type FamilyOptions, type Lifetime } from './cache-key.js';
export type { CacheSection } from './cache-monitoring.js';
export { CacheModule } from './cache.module.js';
export { CacheService } from './cache.service.js';
export type { CacheStats, FamilyStats, TierStats } from './cache-stats.js';
export type { SharedTierPolicy } from './shared-store.js';
