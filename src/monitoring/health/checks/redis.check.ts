import { Injectable, type OnModuleInit } from '@nestjs/common';
import { RedisService } from '../../../redis/index.js';
import { HealthRegistry } from '../health-registry.js';

/** Without Redis the work goes on, slower: at worst degraded. Where none is configured there is no check. */
@Injectable()
export class RedisHealth implements OnModuleInit {
  constructor(
    private readonly registry: HealthRegistry,
    private readonly redis: RedisService,
  ) {}

  onModuleInit(): void {
    if (!this.redis.enabled) return;
    this.registry.register({
      name: 'redis',
      kind: 'degrading',
      run: () => {
        const { state, errors, timesOpened } = this.redis.stats();
        const details = { state, errors, timesOpened };
        if (this.redis.available) return { status: 'up', details };
        return { status: 'degraded', reason: 'Redis counts as down; working without it', details };
      },
    });
  }
}
