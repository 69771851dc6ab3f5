import { invalidMessageCursor } from './conversation.errors.js';

/** The end of a page of one conversation: the next page continues after or before this `seq`. */
export interface SeqCursor {
  direction: 'after' | 'before';
  seq: number;
}

export const encodeSeqCursor = ({ direction, seq }: SeqCursor): string =>
  Buffer.from(`${direction}.${seq}`).toString('base64url');

/**
 * Returns the `seq` encoded in a cursor.
 * @throws ProblemError 400 `invalid_cursor` if the text is not a cursor, or is one of the other direction
 */
export function decodeSeqCursor(text: string, direction: SeqCursor['direction']): number {
  const [, found, seq] =
    /^(after|before)\.(\d{1,15})$/.exec(Buffer.from(text, 'base64url').toString('utf8')) ?? [];
  if (found !== direction || seq === undefined) throw invalidMessageCursor();
  return Number(seq);
}
