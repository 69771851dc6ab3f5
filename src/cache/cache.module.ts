import { Module } from '@nestjs/common';
import { RedisModule } from '../redis/index.js';
import { CacheController } from './cache.controller.js';
import { CacheService } from './cache.service.js';

@Module({
  imports: [RedisModule],
  controllers: [CacheController],
  providers: [CacheService],
  exports: [CacheService],
})
export class CacheModule {}
