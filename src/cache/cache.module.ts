import { Global, Module } from '@nestjs/common';
import { MonitoringModule } from '../monitoring/index.js';
import { CacheMonitoring } from './cache-monitoring.js';
import { CacheController } from './cache.controller.js';
import { CacheService } from './cache.service.js';

/** Needs `RedisModule` in the application. */
@Global()
@Module({
  imports: [MonitoringModule],
  controllers: [CacheController],
  providers: [CacheService, CacheMonitoring],
  exports: [CacheService],
})
export class CacheModule {}
