import { ProblemError } from '../http/index.js';
import { decodeSeqCursor, encodeSeqCursor } from './seq-cursor.js';

describe('seq cursors', () => {
  it('come back as they went', () => {
    expect(decodeSeqCursor(encodeSeqCursor({ direction: 'after', seq: 40 }), 'after')).toBe(40);
    expect(decodeSeqCursor(encodeSeqCursor({ direction: 'before', seq: 7 }), 'before')).toBe(7);
  });

  it.each([
    ['of a list that went the other way', encodeSeqCursor({ direction: 'before', seq: 7 })],
    ['that no page gave', 'nonsense'],
    ['with a number that is none', Buffer.from('after.x').toString('base64url')],
    ['that is empty', ''],
  ])('are refused when they are ones %s', (_name, cursor) => {
    expect(() => decodeSeqCursor(cursor, 'after')).toThrow(ProblemError);
  });
});
