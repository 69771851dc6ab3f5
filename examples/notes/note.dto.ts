import { z } from 'zod';
import { externalName, isoDate, pageLimit } from '../../src/http/index.js';
import type { NoteRecord } from './note.schema.js';

export const createNoteBody = z.strictObject({
  participantId: externalName,
  text: z.string().min(1).max(2000),
  /** When a job reminds of the note. */
  remindAt: isoDate.optional(),
});
export type CreateNoteBody = z.output<typeof createNoteBody>;

export const notesQuery = z.strictObject({
  participantId: externalName,
  limit: pageLimit,
  cursor: z.string().max(100).optional(),
});
export type NotesQuery = z.output<typeof notesQuery>;

export const noteViewSchema = z.object({
  id: z.string(),
  participantId: z.string(),
  text: z.string(),
  createdAt: z.iso.datetime(),
  remindedAt: z.iso.datetime().nullable(),
});
export type NoteView = z.output<typeof noteViewSchema>;

export const notePageSchema = z.object({
  data: z.array(noteViewSchema),
  nextCursor: z.string().nullable(),
});

export const noteCountQuery = z.strictObject({ participantId: externalName });
export type NoteCountQuery = z.output<typeof noteCountQuery>;

export const noteCountSchema = z.object({ count: z.int().min(0) });
export type NoteCountView = z.output<typeof noteCountSchema>;

export const noteView = (note: NoteRecord): NoteView => ({
  id: note._id.toHexString(),
  participantId: note.participantId,
  text: note.text,
  createdAt: note.createdAt.toISOString(),
  remindedAt: note.remindedAt?.toISOString() ?? null,
});
