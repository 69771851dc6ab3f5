import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Patch, Post, Res } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiConflictResponse,
  ApiConsumes,
  ApiCreatedResponse,
  ApiHeader,
  ApiNoContentResponse,
  ApiNotFoundResponse,
  ApiNotModifiedResponse,
  ApiOkResponse,
  ApiOperation,
  ApiPreconditionFailedResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { CurrentTenant, type TenantIdentity } from '../tenant/index.js';
import { type ConditionalHeaders, entityTagOf, preconditionOf, unmetBy } from './precondition.js';
import { SessionEditor } from './session-editor.js';
import {
  addGoalBody,
  type AddGoalBody,
  changeGoalBody,
  type ChangeGoalBody,
  goalIdParam,
  type GoalView,
  goalViewSchema,
  participantIdParam,
  patchSessionBody,
  type PatchSessionBody,
  sessionView,
  type SessionView,
  sessionViewSchema,
} from './session.dto.js';
import { versionMismatch } from './session.errors.js';
import { SessionService } from './session.service.js';
import type { SessionState } from './session.types.js';

const ifMatchHeader = {
  name: 'If-Match',
  required: false,
  description:
    'ETag of the version to change, such as "3", or * for any version; without it the latest version is changed',
  schema: { type: 'string', example: '"3"' },
} as const;

const ifNoneMatchHeader = {
  name: 'If-None-Match',
  required: false,
  description: '* to change the session only if it does not exist yet; or ETags that it must not have',
  schema: { type: 'string', example: '*' },
} as const;

const withTag = (reply: FastifyReply, state: SessionState): void => {
  void reply.header('etag', entityTagOf(state));
};

@ApiTags('sessions')
@ApiBearerAuth()
@Controller('v1/sessions')
export class SessionController {
  constructor(
    private readonly sessions: SessionService,
    private readonly editor: SessionEditor,
  ) {}

  @Get(':participantId')
  @ApiHeader({
    ...ifNoneMatchHeader,
    description: 'ETags that the client has, or *',
    schema: { type: 'string' },
  })
  @ApiOperation({ summary: 'Get the session of a participant' })
  @ApiOkResponse({ standardSchema: sessionViewSchema })
  @ApiNotModifiedResponse({ description: 'The session has one of the ETags in If-None-Match' })
  @ApiNotFoundResponse({ description: '`session_not_found`' })
  async get(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Param('participantId', { schema: participantIdParam }) participantId: string,
    @Headers() headers: ConditionalHeaders,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<SessionView | undefined> {
    const precondition = preconditionOf(headers);
    const state = await this.sessions.read(tenantId, participantId);
    withTag(reply, state);
    const unmet = precondition && unmetBy(precondition, state);
    if (unmet === 'If-Match') throw versionMismatch(unmet, state.version);
    if (!unmet) return sessionView(state);
    void reply.status(304);
    return undefined;
  }

  @Patch(':participantId')
  @ApiConsumes('application/merge-patch+json', 'application/json')
  @ApiHeader(ifMatchHeader)
  @ApiHeader(ifNoneMatchHeader)
  @ApiOperation({
    summary: 'Update goals or context with a merge patch; creates the session if it does not exist',
  })
  @ApiOkResponse({ standardSchema: sessionViewSchema })
  @ApiPreconditionFailedResponse({ description: '`version_mismatch`' })
  @ApiConflictResponse({ description: '`session_conflict`: it was changed concurrently on every attempt' })
  async patch(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Param('participantId', { schema: participantIdParam }) participantId: string,
    @Body({ schema: patchSessionBody }) body: PatchSessionBody,
    @Headers() headers: ConditionalHeaders,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<SessionView> {
    const state = await this.editor.patch(tenantId, participantId, body, preconditionOf(headers));
    withTag(reply, state);
    return sessionView(state);
  }

  @Delete(':participantId')
  @HttpCode(204)
  @ApiHeader(ifMatchHeader)
  @ApiHeader(ifNoneMatchHeader)
  @ApiOperation({ summary: 'Delete the session of a participant' })
  @ApiNoContentResponse()
  @ApiNotFoundResponse({ description: '`session_not_found`' })
  @ApiPreconditionFailedResponse({ description: '`version_mismatch`' })
  delete(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Param('participantId', { schema: participantIdParam }) participantId: string,
    @Headers() headers: ConditionalHeaders,
  ): Promise<void> {
    return this.editor.delete(tenantId, participantId, preconditionOf(headers));
  }

  @Post(':participantId/goals')
  @ApiHeader(ifMatchHeader)
  @ApiHeader(ifNoneMatchHeader)
  @ApiOperation({ summary: 'Add a goal; creates the session if it does not exist' })
  @ApiCreatedResponse({ standardSchema: goalViewSchema })
  @ApiPreconditionFailedResponse({ description: '`version_mismatch`' })
  @ApiConflictResponse({ description: '`session_conflict`: it was changed concurrently on every attempt' })
  async addGoal(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Param('participantId', { schema: participantIdParam }) participantId: string,
    @Body({ schema: addGoalBody }) body: AddGoalBody,
    @Headers() headers: ConditionalHeaders,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<GoalView> {
    const { state, goal } = await this.editor.addGoal(tenantId, participantId, body, preconditionOf(headers));
    withTag(reply, state);
    return goal;
  }

  @Patch(':participantId/goals/:goalId')
  @ApiConsumes('application/merge-patch+json', 'application/json')
  @ApiHeader(ifMatchHeader)
  @ApiHeader(ifNoneMatchHeader)
  @ApiOperation({ summary: 'Change the status of a goal and merge a patch into its slots' })
  @ApiOkResponse({ standardSchema: goalViewSchema })
  @ApiNotFoundResponse({ description: '`goal_not_found`' })
  @ApiPreconditionFailedResponse({ description: '`version_mismatch`' })
  @ApiConflictResponse({ description: '`session_conflict`: it was changed concurrently on every attempt' })
  async changeGoal(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Param('participantId', { schema: participantIdParam }) participantId: string,
    @Param('goalId', { schema: goalIdParam }) goalId: string,
    @Body({ schema: changeGoalBody }) body: ChangeGoalBody,
    @Headers() headers: ConditionalHeaders,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<GoalView> {
    const precondition = preconditionOf(headers);
    const { state, goal } = await this.editor.changeGoal(tenantId, participantId, goalId, body, precondition);
    withTag(reply, state);
    return goal;
  }
}
