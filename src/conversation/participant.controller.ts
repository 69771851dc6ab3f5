import { Controller, Get, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Page } from '../http/index.js';
import { CurrentTenant, type TenantIdentity } from '../tenant/index.js';
import {
  participantPageSchema,
  participantsQuery,
  type ParticipantsQuery,
  participantView,
  type ParticipantView,
} from './participant.dto.js';
import { ParticipantService } from './participant.service.js';

@ApiTags('participants')
@ApiBearerAuth()
@Controller('v1/participants')
export class ParticipantController {
  constructor(private readonly participants: ParticipantService) {}

  @Get()
  @ApiOperation({
    summary: 'List the participants who have conversations, in order of their ids, with their last activity',
  })
  @ApiOkResponse({ standardSchema: participantPageSchema })
  async list(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Query({ schema: participantsQuery }) query: ParticipantsQuery,
  ): Promise<Page<ParticipantView>> {
    const { data, nextCursor } = await this.participants.list(tenantId, query);
    return { data: data.map(participantView), nextCursor };
  }
}
