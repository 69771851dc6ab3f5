import { Module } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { CacheModule } from '../../src/cache/index.js';
import { MonitoringModule } from '../../src/monitoring/index.js';
import { QueueModule } from '../../src/queue/index.js';
import { NoteCleanup } from './note-cleanup.js';
import { NoteMonitoring } from './note-monitoring.js';
import { NoteReminderProcessor } from './note-reminder.processor.js';
import { noteReminders } from './note-reminder.queue.js';
import { NoteController } from './note.controller.js';
import { NoteRepository } from './note.repository.js';
import { NOTE_MODEL, noteSchema } from './note.schema.js';
import { NoteService } from './note.service.js';

/** Notes about participants, with reminders. */
@Module({
  imports: [
    CacheModule,
    MonitoringModule,
    QueueModule.forFeature([noteReminders]),
    MongooseModule.forFeature([{ name: NOTE_MODEL, schema: noteSchema }]),
  ],
  controllers: [NoteController],
  providers: [NoteRepository, NoteService, NoteMonitoring, NoteReminderProcessor, NoteCleanup],
})
export class NotesModule {}
