import { Injectable } from '@nestjs/common';
import { Types } from 'mongoose';
import { CacheFamily, CacheService } from '../../src/cache/index.js';
import { TransactionRunner } from '../../src/database/index.js';
import { idCursor, type IdCursor, type Page, readPage } from '../../src/http/index.js';
import { QueueService } from '../../src/queue/index.js';
import { noteReminders } from './note-reminder.queue.js';
import { NoteMonitoring } from './note-monitoring.js';
import { type CreateNoteBody, type NotesQuery, noteView, type NoteView } from './note.dto.js';
import { NoteRepository } from './note.repository.js';
import type { NoteRecord } from './note.schema.js';

/** Numbers of notes by participant. A family builds the keys of its entries, which contain the tenant. */
const noteCounts = new CacheFamily<number>('note-count');
const COUNT_TTL_MS = 60_000;

@Injectable()
export class NoteService {
  constructor(
    private readonly notes: NoteRepository,
    private readonly transactions: TransactionRunner,
    private readonly cache: CacheService,
    private readonly queues: QueueService,
    private readonly monitoring: NoteMonitoring,
  ) {}

  /** Called in a transaction, so that the note and the job of its reminder are both stored, or neither. */
  async create(tenantId: string, { participantId, text, remindAt }: CreateNoteBody): Promise<NoteRecord> {
    const note: NoteRecord = {
      _id: new Types.ObjectId(),
      tenantId,
      participantId,
      text,
      createdAt: new Date(),
      ...(remindAt && { remindAt }),
    };
    await this.notes.insert(note);
    if (remindAt) {
      const delayMs = Math.max(0, remindAt.getTime() - Date.now());
      await this.queues.enqueue(noteReminders, tenantId, { noteId: note._id.toHexString() }, { delayMs });
    }
    // A transaction can run several times, or be rolled back: effects outside the database wait for its
    // commit. The cache does that on its own.
    await this.cache.del(noteCounts.key(tenantId, participantId));
    await this.transactions.afterCommit(() => {
      this.monitoring.created();
    });
    return note;
  }

  async list(tenantId: string, { participantId, limit, cursor }: NotesQuery): Promise<Page<NoteView>> {
    const from = idCursor.decode(cursor);
    const positionOf = ({ _id }: NoteRecord): IdCursor => ({ id: _id.toHexString() });
    const read = (count: number, after = from): Promise<NoteRecord[]> =>
      this.notes.list(tenantId, participantId, count, after?.id);
    return readPage(idCursor, { limit, from, positionOf, read }, noteView);
  }

  async count(tenantId: string, participantId: string): Promise<number> {
    const load = (): Promise<number> => this.notes.count(tenantId, participantId);
    return (await this.cache.wrap(noteCounts.key(tenantId, participantId), COUNT_TTL_MS, load)) ?? 0;
  }
}
