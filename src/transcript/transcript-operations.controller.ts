import { Body, Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiAcceptedResponse, ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { validationFailed, TenantOrAdmin } from '../http/index.js';
import { CurrentTenant, TenantOrOperator, type TenantIdentity } from '../tenant/index.js';
import {
  type ReplayedTranscripts,
  replayedTranscriptsSchema,
  replayTranscriptsBody,
  type ReplayTranscriptsBody,
  type TenantTranscriptStats,
  transcriptStatsSchema,
} from './transcript-operations.dto.js';
import { type OperatorTranscriptStats, TranscriptStats } from './transcript-stats.js';
import { acceptedTranscriptSchema, transcriptIdParam } from './transcript.dto.js';
import { TranscriptService } from './transcript.service.js';

/** Transcript statistics, and replay of dead letters. */
@ApiTags('transcripts')
@ApiBearerAuth()
@Controller('v1/transcripts')
export class TranscriptOperationsController {
  constructor(
    private readonly stats: TranscriptStats,
    private readonly transcripts: TranscriptService,
  ) {}

  @Get('stats')
  @TenantOrAdmin()
  @ApiOperation({
    summary:
      "Get the tenant's transcript statistics; with the admin key those of all tenants and of this process",
  })
  @ApiOkResponse({ standardSchema: transcriptStatsSchema })
  async get(
    @TenantOrOperator() tenant: TenantIdentity | undefined,
  ): Promise<TenantTranscriptStats | OperatorTranscriptStats> {
    return tenant ? this.stats.ofTenant(tenant.tenantId) : this.stats.ofAll();
  }

  @Post('replay')
  @HttpCode(202)
  @TenantOrAdmin()
  @ApiOperation({
    summary: 'Replay one page of dead letters; with the admin key, those of the given tenant',
  })
  @ApiAcceptedResponse({ standardSchema: replayedTranscriptsSchema })
  replayPage(
    @TenantOrOperator() tenant: TenantIdentity | undefined,
    @Body({ schema: replayTranscriptsBody }) { limit, cursor, tenantId }: ReplayTranscriptsBody,
  ): Promise<ReplayedTranscripts> {
    if (tenant && tenantId !== undefined && tenantId !== tenant.tenantId)
      throw validationFailed([{ path: 'tenantId', message: 'is only allowed with the admin key' }]);
    const whose = tenant?.tenantId ?? tenantId;
    if (whose === undefined)
      throw validationFailed([{ path: 'tenantId', message: 'is required with the admin key' }]);
    return this.transcripts.replayPage(whose, limit, cursor);
  }

  @Post(':id/replay')
  @HttpCode(202)
  @ApiOperation({ summary: 'Replay a dead letter' })
  @ApiAcceptedResponse({ standardSchema: acceptedTranscriptSchema })
  async replay(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Param('id', { schema: transcriptIdParam }) id: string,
  ): Promise<{ id: string }> {
    await this.transcripts.replay(tenantId, id);
    return { id };
  }
}
