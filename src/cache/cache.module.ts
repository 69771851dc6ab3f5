import { Module } from '@nestjs/common';
import { MonitoringModule } from '../monitoring/index.js';
import { RedisModule } from '../redis/index.js';
import { CacheMonitoring } from './cache-monitoring.js';
import { CacheController } from './cache.controller.js';
import { CacheService } from './cache.service.js';

@Module({
  imports: [MonitoringModule, RedisModule],
  controllers: [CacheController],
  providers: [CacheService, CacheMonitoring],
  exports: [CacheService],
})
export class CacheModule {}
