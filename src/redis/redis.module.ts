import { Module } from '@nestjs/common';
import { MonitoringModule } from '../monitoring/index.js';
import { RedisMonitoring } from './redis-monitoring.js';
import { RedisService } from './redis.service.js';

/** Provides the shared connection to Redis. */
@Module({
  imports: [MonitoringModule],
  providers: [RedisService, RedisMonitoring],
  exports: [RedisService],
})
export class RedisModule {}
