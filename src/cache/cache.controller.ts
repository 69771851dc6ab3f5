import { Controller, Get } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { AdminOnly } from '../http/index.js';
import type { CacheStats } from './cache-stats.js';
import { cacheStatsSchema } from './cache.dto.js';
import { CacheService } from './cache.service.js';

@ApiTags('operations')
@ApiBearerAuth()
@AdminOnly()
@Controller('v1/cache/stats')
export class CacheController {
  constructor(private readonly cache: CacheService) {}

  @Get()
  @ApiOperation({ summary: 'Cache statistics of this process since its start (admin)' })
  @ApiOkResponse({ standardSchema: cacheStatsSchema })
  get(): CacheStats {
    return this.cache.stats();
  }
}
