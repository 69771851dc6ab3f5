import { Controller, Get } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { AdminOnly } from '../common/index.js';
import { ConversationStateManager, type SessionMemoryStats } from './conversation-state-manager.js';
import { sessionStatsSchema } from './session.dto.js';

/** For operators. The module names this controller before the one whose `:participantId` would take the same path. */
@ApiTags('sessions')
@ApiBearerAuth()
@AdminOnly()
@Controller('v1/sessions/stats')
export class SessionStatsController {
  constructor(private readonly memory: ConversationStateManager) {}

  @Get()
  @ApiOperation({ summary: 'Sessions in the memory of this process (admin)' })
  @ApiOkResponse({ standardSchema: sessionStatsSchema })
  get(): { l1: SessionMemoryStats } {
    return { l1: this.memory.getStats() };
  }
}
