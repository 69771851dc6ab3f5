import { Module } from '@nestjs/common';
import { RedisService } from './redis.service.js';

/** The connection to Redis that all modules share. */
@Module({ providers: [RedisService], exports: [RedisService] })
export class RedisModule {}
