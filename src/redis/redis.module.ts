import { Global, Module } from '@nestjs/common';
import { MonitoringModule } from '../monitoring/index.js';
import { RedisMonitoring } from './redis-monitoring.js';
import { RedisService } from './redis.service.js';

/** The shared connection to Redis, for every module. */
@Global()
@Module({
  imports: [MonitoringModule],
  providers: [RedisService, RedisMonitoring],
  exports: [RedisService],
})
export class RedisModule {}
