import { Readable } from 'node:stream';
import { Controller, Delete, Get, HttpCode, Inject, Param, Req, Res } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiOkResponse,
  ApiOperation,
  ApiServiceUnavailableResponse,
  ApiTags,
  ApiTooManyRequestsResponse,
} from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Streamed } from '../../http/index.js';
import { LOGGER, type Logger } from '../../logging/index.js';
import { participantIdParam } from '../../session/index.js';
import { CurrentTenant, type TenantIdentity } from '../../tenant/index.js';
import { receiptSchema, receiptView, type ReceiptView } from './participant-data.dto.js';
import { ParticipantEraser } from './participant-eraser.js';
import { ParticipantExporter } from './participant-exporter.js';

const NDJSON = 'application/x-ndjson';

@ApiTags('participants')
@ApiBearerAuth()
@Controller('v1/participants')
export class ParticipantDataController {
  constructor(
    private readonly eraser: ParticipantEraser,
    private readonly exporter: ParticipantExporter,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @Delete(':participantId')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Erase everything of a participant, and get a receipt',
    description:
      'Erases conversations with their messages, the session, transcripts with their vectors, and jobs about the ' +
      'participant. An interrupted erasure is finished in the background. May be repeated; if nothing is stored of ' +
      'the participant, all counts are 0. For 30 days, messages and transcripts that are sent again with their ' +
      'externalId get 410 `erased`.',
  })
  @ApiOkResponse({ standardSchema: receiptSchema })
  @ApiServiceUnavailableResponse({ description: '`erasure_unfinished`: it continues in the background' })
  async erase(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Param('participantId', { schema: participantIdParam }) participantId: string,
  ): Promise<ReceiptView> {
    return receiptView(await this.eraser.erase(tenantId, participantId));
  }

  @Get(':participantId/export')
  @Streamed()
  @ApiOperation({
    summary: 'Export everything that is held of a participant, as lines of JSON',
    description:
      'Each line is `{"kind":…,"document":…}`: first `export`, then `transcript`, `conversation`, `closing`, ' +
      '`message`, `session` and `job`, then `archived:conversations` and so on from archives, as they were stored, ' +
      'and last `end` with the number of lines of each kind. ' +
      'An export without the line `end` is not complete. What is stored or changed meanwhile may be left out.',
  })
  @ApiOkResponse({ description: 'The export', content: { [NDJSON]: { schema: { type: 'string' } } } })
  @ApiTooManyRequestsResponse({ description: '`too_many_exports`, `rate_limited`' })
  @ApiServiceUnavailableResponse({ description: '`exports_busy`' })
  export(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Param('participantId', { schema: participantIdParam }) participantId: string,
    @Req() { method }: FastifyRequest,
    @Res() reply: FastifyReply,
  ): void {
    void reply.header('content-type', NDJSON);
    if (method === 'HEAD') {
      void reply.send();
      return;
    }
    const end = this.exporter.begin(tenantId);
    // One chunk is read ahead.
    const stream = Readable.from(this.exporter.lines(tenantId, participantId), { highWaterMark: 1 });
    stream.once('close', end);
    stream.once('error', (error) => {
      // The connection is closed without the end of the response, so the client notices.
      this.logger.error({ err: error, tenantId }, 'an export of a participant failed');
    });
    void reply.send(stream);
  }
}
