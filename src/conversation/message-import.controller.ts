import { Body, Controller, Param, Post, Res } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiConflictResponse,
  ApiCreatedResponse,
  ApiGoneResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { AdminOnly, objectIdString } from '../http/index.js';
import { tenantIdParam } from '../tenant/index.js';
import {
  importMessagesBody,
  type ImportMessagesBody,
  messageView,
  type MessageView,
  storedMessagesSchema,
} from './message.dto.js';
import { MessageService } from './message.service.js';

@ApiTags('tenants')
@ApiBearerAuth()
@AdminOnly()
@Controller('v1/tenants/:id/conversations/:conversationId/messages')
export class MessageImportController {
  constructor(private readonly messages: MessageService) {}

  @Post()
  @ApiOperation({
    summary: 'Import messages of a tenant with their original timestamps, all or none (admin)',
    description:
      'Like appending, but each message may have a `timestamp`. A client that polls GET /v1/messages?since ' +
      'does not receive messages that are older than its position.',
  })
  @ApiCreatedResponse({ standardSchema: storedMessagesSchema })
  @ApiOkResponse({ standardSchema: storedMessagesSchema, description: 'Every message was already stored' })
  @ApiNotFoundResponse({ description: '`conversation_not_found`' })
  @ApiConflictResponse({
    description: '`conversation_closed`, `external_id_in_use`, `timestamp_out_of_order`',
  })
  @ApiGoneResponse({ description: '`erased`: an externalId belonged to a participant whose data was erased' })
  async import(
    @Param('id', { schema: tenantIdParam }) tenantId: string,
    @Param('conversationId', { schema: objectIdString }) conversationId: string,
    @Body({ schema: importMessagesBody }) body: ImportMessagesBody,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ data: MessageView[] }> {
    const { messages, written } = await this.messages.append(tenantId, conversationId, body.messages);
    void reply.status(written ? 201 : 200);
    return { data: messages.map(messageView) };
  }
}
