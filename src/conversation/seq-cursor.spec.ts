import { ProblemError } from '../http/index.js';
import { decodeSeqCursor, encodeSeqCursor } from './seq-cursor.js';

describe('seq cursors', () => {
  it('decode to what was encoded', () => {
    expect(decodeSeqCursor(encodeSeqCursor({ direction: 'after', seq: 40 }), 'after')).toBe(40);
    expect(decodeSeqCursor(encodeSeqCursor({ direction: 'before', seq: 7 }), 'before')).toBe(7);
  });

  it.each([
    ['of the other direction', encodeSeqCursor({ direction: 'before', seq: 7 })],
    ['that was never issued', 'nonsense'],
    ['whose seq is not a number', Buffer.from('after.x').toString('base64url')],
    ['that is empty', ''],
  ])('are rejected when the text is one %s', (_name, cursor) => {
    expect(() => decodeSeqCursor(cursor, 'after')).toThrow(ProblemError);
  });
});
