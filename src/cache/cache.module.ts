import { Global, Module } from '@nestjs/common';
import { CacheController } from './cache.controller.js';
import { CacheService } from './cache.service.js';

/** Needs `RedisModule` in the application. */
@Global()
@Module({ controllers: [CacheController], providers: [CacheService], exports: [CacheService] })
export class CacheModule {}
