import { Body, Controller, Get, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Transactional } from '../../src/database/index.js';
import type { Page } from '../../src/http/index.js';
import { CurrentTenant, type TenantIdentity } from '../../src/tenant/index.js';
import {
  createNoteBody,
  type CreateNoteBody,
  noteCountQuery,
  type NoteCountQuery,
  noteCountSchema,
  type NoteCountView,
  notePageSchema,
  notesQuery,
  type NotesQuery,
  noteView,
  type NoteView,
  noteViewSchema,
} from './note.dto.js';
import { NoteService } from './note.service.js';

@ApiTags('notes')
@ApiBearerAuth()
@Controller('v1/notes')
export class NoteController {
  constructor(private readonly notes: NoteService) {}

  @Post()
  @Transactional()
  @ApiOperation({ summary: 'Write a note about a participant, with an optional reminder' })
  @ApiCreatedResponse({ standardSchema: noteViewSchema })
  async create(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Body({ schema: createNoteBody }) body: CreateNoteBody,
  ): Promise<NoteView> {
    return noteView(await this.notes.create(tenantId, body));
  }

  @Get()
  @ApiOperation({ summary: 'Notes about a participant, the newest first' })
  @ApiOkResponse({ standardSchema: notePageSchema })
  list(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Query({ schema: notesQuery }) query: NotesQuery,
  ): Promise<Page<NoteView>> {
    return this.notes.list(tenantId, query);
  }

  @Get('count')
  @ApiOperation({ summary: 'The number of notes about a participant' })
  @ApiOkResponse({ standardSchema: noteCountSchema })
  async count(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Query({ schema: noteCountQuery }) { participantId }: NoteCountQuery,
  ): Promise<NoteCountView> {
    return { count: await this.notes.count(tenantId, participantId) };
  }
}
