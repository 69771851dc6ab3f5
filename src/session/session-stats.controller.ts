import { Controller, Get } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { AdminOnly } from '../http/index.js';
import { SessionStore, type SessionStoreStats } from './session-store.js';
import { sessionStatsSchema } from './session.dto.js';

/**
 * For operators. The module registers this controller first, because `:participantId` would match the same
 * path.
 */
@ApiTags('sessions')
@ApiBearerAuth()
@AdminOnly()
@Controller('v1/sessions/stats')
export class SessionStatsController {
  constructor(private readonly store: SessionStore) {}

  @Get()
  @ApiOperation({ summary: 'Get statistics of the session tiers in this process (admin)' })
  @ApiOkResponse({ standardSchema: sessionStatsSchema })
  get(): SessionStoreStats {
    return this.store.stats();
  }
}
