import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBearerAuth,
  ApiConflictResponse,
  ApiGoneResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import { type Page, StoresNothing } from '../http/index.js';
import { CurrentTenant, type TenantIdentity } from '../tenant/index.js';
import {
  acceptedTranscriptSchema,
  createTranscriptBody,
  type CreateTranscriptBody,
  searchTranscriptsBody,
  type SearchTranscriptsBody,
  type TranscriptHits,
  transcriptHitsSchema,
  transcriptIdParam,
  transcriptPageSchema,
  transcriptsQuery,
  type TranscriptsQuery,
  type TranscriptState,
  transcriptStateSchema,
  transcriptView,
  type TranscriptView,
} from './transcript.dto.js';
import { TranscriptService } from './transcript.service.js';

@ApiTags('transcripts')
@ApiBearerAuth()
@Controller('v1/transcripts')
export class TranscriptController {
  constructor(private readonly transcripts: TranscriptService) {}

  @Post()
  @HttpCode(202)
  @ApiOperation({
    summary: 'Accept a transcript: it is committed when this returns, and searchable shortly afterward',
  })
  @ApiAcceptedResponse({ standardSchema: acceptedTranscriptSchema })
  @ApiConflictResponse({
    description: '`external_id_in_use`: another transcript with other contents has the externalId',
  })
  @ApiGoneResponse({
    description: '`erased`: the externalId belonged to a participant whose data was erased',
  })
  create(
    @CurrentTenant() tenant: TenantIdentity,
    @Body({ schema: createTranscriptBody }) body: CreateTranscriptBody,
  ): Promise<{ id: string }> {
    return this.transcripts.enqueue(tenant, body);
  }

  @Get()
  @ApiOperation({
    summary: 'List stored transcripts, newest first; those with status failed are dead letters',
  })
  @ApiOkResponse({ standardSchema: transcriptPageSchema })
  async list(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Query({ schema: transcriptsQuery }) query: TranscriptsQuery,
  ): Promise<Page<TranscriptView>> {
    const { data, nextCursor } = await this.transcripts.list(tenantId, query);
    return { data: data.map(transcriptView), nextCursor };
  }

  @Post('search')
  @StoresNothing()
  @HttpCode(200)
  @ApiOperation({ summary: 'Search transcripts by meaning, best match first' })
  @ApiOkResponse({ standardSchema: transcriptHitsSchema })
  search(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Body({ schema: searchTranscriptsBody }) body: SearchTranscriptsBody,
  ): Promise<TranscriptHits> {
    return this.transcripts.search(tenantId, body);
  }

  @Get(':id')
  @ApiOperation({ summary: 'Get a transcript, or its status while it is being processed' })
  @ApiOkResponse({ standardSchema: transcriptStateSchema })
  get(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Param('id', { schema: transcriptIdParam }) id: string,
  ): Promise<TranscriptState> {
    return this.transcripts.get(tenantId, id);
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({
    summary: 'Delete a transcript, even before it is stored; searches no longer return it',
  })
  @ApiNoContentResponse()
  delete(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Param('id', { schema: transcriptIdParam }) id: string,
  ): Promise<void> {
    return this.transcripts.delete(tenantId, id);
  }
}
