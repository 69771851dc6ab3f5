import { invalidMessageCursor } from './conversation.errors.js';

/** Where a page of one conversation ended: the next one goes on after or before this `seq`. */
export interface SeqCursor {
  direction: 'after' | 'before';
  seq: number;
}

export const encodeSeqCursor = ({ direction, seq }: SeqCursor): string =>
  Buffer.from(`${direction}.${seq}`).toString('base64url');

/**
 * The place that a cursor names.
 * @throws ProblemError 400 `invalid_cursor` for text that no page gave, or one from a list that went the other way
 */
export function decodeSeqCursor(text: string, direction: SeqCursor['direction']): number {
  const [, found, seq] =
    /^(after|before)\.(\d{1,15})$/.exec(Buffer.from(text, 'base64url').toString('utf8')) ?? [];
  if (found !== direction || seq === undefined) throw invalidMessageCursor();
  return Number(seq);
}
