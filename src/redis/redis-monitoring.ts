import { Injectable, type OnModuleInit } from '@nestjs/common';
import { counter, gauge, type HealthFinding, Monitoring } from '../monitoring/index.js';
import { RedisService } from './redis.service.js';

/** The `redis` section of the snapshot. */
export interface RedisSection {
  enabled: boolean;
  up: boolean;
}

/** Metrics, health check and snapshot section of Redis. */
@Injectable()
export class RedisMonitoring implements OnModuleInit {
  constructor(
    private readonly monitoring: Monitoring,
    private readonly redis: RedisService,
  ) {}

  onModuleInit(): void {
    const { redis } = this;
    this.monitoring.contribute<RedisSection>({
      metrics: [
        gauge({
          name: 'colloquy_redis_up',
          help: '1 while Redis is used, 0 while it is down; absent when none is configured',
          read: (set) => {
            if (redis.enabled) set(Number(redis.available));
          },
        }),
        counter({
          name: 'colloquy_redis_calls_total',
          help: 'Calls by outcome: ok, error, refused (not sent, because Redis is down)',
          labelNames: ['outcome'],
          read: (set) => {
            const { calls, errors, refused } = redis.stats();
            set(Math.max(0, calls - errors), { outcome: 'ok' });
            set(errors, { outcome: 'error' });
            set(refused, { outcome: 'refused' });
          },
        }),
      ],
      health: redis.enabled
        ? [{ name: 'redis', kind: 'degrading', run: () => this.check(), alertTitle: 'Redis' }]
        : [],
      snapshot: { name: 'redis', read: () => ({ enabled: redis.enabled, up: redis.available }) },
    });
  }

  /** Only degraded, because the service works without Redis, more slowly. */
  private check(): HealthFinding {
    const { state, errors, timesOpened } = this.redis.stats();
    const details = { state, errors, timesOpened };
    if (this.redis.available) return { status: 'up', details };
    return { status: 'degraded', reason: 'Redis is down; continuing without it', details };
  }
}
