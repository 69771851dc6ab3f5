import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query, Res } from '@nestjs/common';
import {
  ApiBadGatewayResponse,
  ApiBearerAuth,
  ApiConflictResponse,
  ApiConsumes,
  ApiCreatedResponse,
  ApiGoneResponse,
  ApiGatewayTimeoutResponse,
  ApiNoContentResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiServiceUnavailableResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { objectIdString, type Page } from '../http/index.js';
import { sessionView, type SessionView } from '../session/index.js';
import { CurrentTenant, type TenantIdentity } from '../tenant/index.js';
import { conversationView, type ConversationView } from './conversation.dto.js';
import { MessageProcessor } from './message-processor.js';
import {
  appendMessagesBody,
  type AppendMessagesBody,
  conversationMessagesQuery,
  type ConversationMessagesQuery,
  editMessageBody,
  type EditMessageBody,
  inboundMessageBody,
  type InboundMessageBody,
  messagePageSchema,
  messagesQuery,
  type MessagesQuery,
  messageView,
  type MessageView,
  messageViewSchema,
  processedMessageSchema,
  storedMessagesSchema,
} from './message.dto.js';
import { MessageService } from './message.service.js';

interface ProcessedMessageView {
  conversation: ConversationView;
  message: MessageView;
  reply: MessageView | null;
  coalesced?: true;
  session: SessionView;
}

@ApiTags('messages')
@ApiBearerAuth()
@Controller('v1')
export class MessageController {
  constructor(
    private readonly messages: MessageService,
    private readonly processor: MessageProcessor,
  ) {}

  @Post('conversations/:id/messages')
  @ApiOperation({
    summary: 'Append messages, all or none; a message that is sent again with its externalId is stored once',
  })
  @ApiCreatedResponse({ standardSchema: storedMessagesSchema })
  @ApiOkResponse({
    standardSchema: storedMessagesSchema,
    description: 'Every message was already stored; nothing was written',
  })
  @ApiNotFoundResponse({ description: '`conversation_not_found`' })
  @ApiConflictResponse({ description: '`conversation_closed`, `external_id_in_use`' })
  @ApiGoneResponse({ description: '`erased`: an externalId belonged to a participant whose data was erased' })
  async append(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Param('id', { schema: objectIdString }) id: string,
    @Body({ schema: appendMessagesBody }) body: AppendMessagesBody,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ data: MessageView[] }> {
    const { messages, written } = await this.messages.append(tenantId, id, body.messages);
    void reply.status(written ? 201 : 200);
    return { data: messages.map(messageView) };
  }

  @Get('conversations/:id/messages')
  @ApiOperation({
    summary: 'List the messages of a conversation in order of seq',
    description:
      'Pages forward from `afterSeq` (or from the beginning) up to `beforeSeq`. With `beforeSeq` alone it ' +
      'returns the last messages before it, and `nextCursor` pages backward. Each page is in ascending ' +
      'order.',
  })
  @ApiOkResponse({ standardSchema: messagePageSchema })
  @ApiNotFoundResponse({ description: '`conversation_not_found`' })
  async listOfConversation(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Param('id', { schema: objectIdString }) id: string,
    @Query({ schema: conversationMessagesQuery }) query: ConversationMessagesQuery,
  ): Promise<Page<MessageView>> {
    const { data, nextCursor } = await this.messages.listOfConversation(tenantId, id, query);
    return { data: data.map(messageView), nextCursor };
  }

  @Patch('conversations/:id/messages/:messageId')
  @ApiConsumes('application/merge-patch+json', 'application/json')
  @ApiOperation({
    summary: 'Edit a message',
    description: 'It keeps its seq and timestamp. Transcripts that exist already are not changed.',
  })
  @ApiOkResponse({ standardSchema: messageViewSchema })
  @ApiNotFoundResponse({ description: '`conversation_not_found`, `message_not_found`' })
  @ApiConflictResponse({ description: '`message_deleted`' })
  async edit(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Param('id', { schema: objectIdString }) id: string,
    @Param('messageId', { schema: objectIdString }) messageId: string,
    @Body({ schema: editMessageBody }) body: EditMessageBody,
  ): Promise<MessageView> {
    return messageView(await this.messages.edit(tenantId, id, messageId, body));
  }

  @Delete('conversations/:id/messages/:messageId')
  @HttpCode(204)
  @ApiOperation({
    summary: 'Delete the content of a message',
    description:
      'The message keeps its seq, with `deletedAt` and without content, attachments and metadata. ' +
      'Transcripts of the conversation, which may contain it, are deleted; closing the conversation again ' +
      'creates one without it. The session, and replies to the message, are not changed.',
  })
  @ApiNoContentResponse()
  @ApiNotFoundResponse({ description: '`conversation_not_found`, `message_not_found`' })
  delete(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Param('id', { schema: objectIdString }) id: string,
    @Param('messageId', { schema: objectIdString }) messageId: string,
  ): Promise<void> {
    return this.messages.delete(tenantId, id, messageId);
  }

  @Get('messages')
  @ApiOperation({
    summary: 'List the messages of all conversations, newest first, or those with an externalId',
  })
  @ApiOkResponse({ standardSchema: messagePageSchema })
  async list(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Query({ schema: messagesQuery }) query: MessagesQuery,
  ): Promise<Page<MessageView>> {
    const { data, nextCursor } = await this.messages.list(tenantId, query);
    return { data: data.map(messageView), nextCursor };
  }

  @Post('messages')
  @ApiOperation({
    summary: 'Process an inbound message: store it, call the responder, store the reply and the session',
    description:
      'Continues the conversation of the session, otherwise the newest active one of the participant on ' +
      'the channel, otherwise creates a new one. With `externalId` the request can safely be repeated: ' +
      'the message is stored and answered once. Another message with the same `externalId` is refused. If the ' +
      'settings of the responder have `debounceMs`, the ' +
      'request waits that long for further messages of the conversation, and messages that follow each ' +
      'other get one reply: the request of the last one returns it, the others return `reply: null` and ' +
      '`coalesced: true`.',
  })
  @ApiCreatedResponse({ standardSchema: processedMessageSchema })
  @ApiOkResponse({
    standardSchema: processedMessageSchema,
    description: 'The message had already been processed; nothing was written',
  })
  @ApiNotFoundResponse({
    description: '`conversation_not_found`: with `debounceMs`, the conversation was erased meanwhile',
  })
  @ApiConflictResponse({ description: '`external_id_in_use`, `session_conflict`' })
  @ApiGoneResponse({ description: '`erased`: an externalId belonged to a participant whose data was erased' })
  @ApiBadGatewayResponse({ description: '`responder_failed`; the user message is stored' })
  @ApiServiceUnavailableResponse({
    description: '`responder_busy`: the tenant has too many calls in progress; the user message is stored',
  })
  @ApiGatewayTimeoutResponse({ description: '`responder_timeout`; the user message is stored' })
  async handle(
    @CurrentTenant() tenant: TenantIdentity,
    @Body({ schema: inboundMessageBody }) body: InboundMessageBody,
    @Res({ passthrough: true }) response: FastifyReply,
  ): Promise<ProcessedMessageView> {
    const processed = await this.processor.process(tenant, body);
    const { conversation, message, reply, session, written, coalesced } = processed;
    void response.status(written ? 201 : 200);
    return {
      conversation: conversationView(conversation),
      message: messageView(message),
      reply: reply && messageView(reply),
      ...(coalesced && { coalesced }),
      session: sessionView(session),
    };
  }
}
