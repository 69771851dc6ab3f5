import { loadSettings } from '../config/index.js';
import { Monitoring } from '../monitoring/index.js';
import { CacheMonitoring, type CacheSection } from './cache-monitoring.js';
import type { CacheService } from './cache.service.js';

const settings = loadSettings({}).monitoring;

const section: CacheSection = {
  hitRatio: 0.4,
  lookups: 500,
  lookupsPerSecond: 16,
  entries: 1,
  memoryBytes: 1,
  maxMemoryBytes: 2,
  evictions: 0,
};

describe('the alert on the hit ratio', () => {
  const monitoring = new Monitoring(settings);
  new CacheMonitoring(monitoring, {} as CacheService, settings);
  const [cache] = monitoring.sections;

  it('is a lower limit', () => {
    expect(cache?.alerts?.(section)).toMatchObject([
      { name: 'cache_hit_ratio', value: 0.4, worse: 'lower', levels: settings.ALERT_CACHE_HIT_RATIO },
    ]);
  });

  it('is not evaluated if there are few lookups', () => {
    expect(cache?.alerts?.({ ...section, lookups: 499 })).toMatchObject([{ value: null }]);
  });
});
