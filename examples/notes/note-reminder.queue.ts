import { z } from 'zod';
import { objectIdString } from '../../src/http/index.js';
import { defineQueue } from '../../src/queue/index.js';

const noteReminder = z.strictObject({ noteId: objectIdString });
export type NoteReminder = z.output<typeof noteReminder>;

export const noteReminders = defineQueue<NoteReminder>({
  name: 'note-reminder',
  payload: noteReminder,
  attempts: 5,
  backoff: { baseMs: 1000, maxMs: 60_000, jitter: 0.5 },
});
