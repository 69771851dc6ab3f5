import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBearerAuth,
  ApiConsumes,
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import { objectIdString, type Page } from '../http/index.js';
import { CurrentTenant, type TenantIdentity } from '../tenant/index.js';
import {
  closeConversationBody,
  type CloseConversationBody,
  closedConversationSchema,
  closedConversationView,
  type ClosedConversationView,
} from './closing/closing.dto.js';
import { ConversationCloser } from './closing/conversation-closer.js';
import {
  conversationPageSchema,
  conversationsQuery,
  type ConversationsQuery,
  conversationView,
  type ConversationView,
  conversationViewSchema,
  createConversationBody,
  type CreateConversationBody,
  updateConversationBody,
  type UpdateConversationBody,
} from './conversation.dto.js';
import { ConversationService } from './conversation.service.js';

@ApiTags('conversations')
@ApiBearerAuth()
@Controller('v1/conversations')
export class ConversationController {
  constructor(
    private readonly conversations: ConversationService,
    private readonly closer: ConversationCloser,
  ) {}

  @Post()
  @ApiOperation({ summary: 'Open a conversation' })
  @ApiCreatedResponse({ standardSchema: conversationViewSchema })
  async create(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Body({ schema: createConversationBody }) body: CreateConversationBody,
  ): Promise<ConversationView> {
    return conversationView(await this.conversations.create(tenantId, body));
  }

  @Get()
  @ApiOperation({ summary: 'List conversations, newest first or most recently updated first' })
  @ApiOkResponse({ standardSchema: conversationPageSchema })
  async list(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Query({ schema: conversationsQuery }) query: ConversationsQuery,
  ): Promise<Page<ConversationView>> {
    const { data, nextCursor } = await this.conversations.list(tenantId, query);
    return { data: data.map(conversationView), nextCursor };
  }

  @Get(':id')
  @ApiOperation({ summary: 'Get a conversation' })
  @ApiOkResponse({ standardSchema: conversationViewSchema })
  @ApiNotFoundResponse({ description: '`conversation_not_found`' })
  async get(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Param('id', { schema: objectIdString }) id: string,
  ): Promise<ConversationView> {
    return conversationView(await this.conversations.get(tenantId, id));
  }

  @Patch(':id')
  @ApiConsumes('application/merge-patch+json', 'application/json')
  @ApiOperation({ summary: 'Update title, isActive or metadata with a merge patch' })
  @ApiOkResponse({ standardSchema: conversationViewSchema })
  @ApiNotFoundResponse({ description: '`conversation_not_found`' })
  async update(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Param('id', { schema: objectIdString }) id: string,
    @Body({ schema: updateConversationBody }) body: UpdateConversationBody,
  ): Promise<ConversationView> {
    return conversationView(await this.conversations.update(tenantId, id, body));
  }

  @Post(':id/close')
  @HttpCode(202)
  @ApiOperation({
    summary: 'Close a conversation and create its transcript with a summary',
    description:
      'The job is stored in the same transaction that closes the conversation. Closing it again without ' +
      'new messages returns the same job and transcript; the summary and metadata of the first request ' +
      "are kept. No transcript is created for a conversation without messages, or if the tenant's " +
      'transcripts are disabled.',
  })
  @ApiAcceptedResponse({ standardSchema: closedConversationSchema })
  @ApiNotFoundResponse({ description: '`conversation_not_found`' })
  async close(
    @CurrentTenant() tenant: TenantIdentity,
    @Param('id', { schema: objectIdString }) id: string,
    @Body({ schema: closeConversationBody }) body?: CloseConversationBody | null,
  ): Promise<ClosedConversationView> {
    return closedConversationView(await this.closer.close(tenant, id, body ?? {}));
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({
    summary: 'Erase a conversation with its messages and what was derived from them',
    description:
      'Deletes its messages, the transcripts that its closings created, and what they were given. If it is ' +
      "the current conversation of the participant's session, the session loses its goals and its reference " +
      'to the conversation. The context of the session, and transcripts that the tenant sent, stay.',
  })
  @ApiNoContentResponse({ description: 'Nothing of the conversation is left but what is listed above' })
  @ApiNotFoundResponse({ description: '`conversation_not_found`' })
  erase(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Param('id', { schema: objectIdString }) id: string,
  ): Promise<void> {
    return this.conversations.erase(tenantId, id);
  }
}
