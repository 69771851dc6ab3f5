import { Injectable } from '@nestjs/common';
import { type Job, type JobProcessor, ProcessorOf } from '../../src/queue/index.js';
import { type NoteReminder, noteReminders } from './note-reminder.queue.js';
import { NoteRepository } from './note.repository.js';

/** A job can run more than once, so the work must be idempotent: setting a date is. */
@Injectable()
@ProcessorOf(noteReminders)
export class NoteReminderProcessor implements JobProcessor<NoteReminder> {
  constructor(private readonly notes: NoteRepository) {}

  process({ tenantId, payload }: Job<NoteReminder>): Promise<void> {
    return this.notes.markReminded(tenantId, payload.noteId, new Date());
  }
}
