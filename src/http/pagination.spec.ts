import { decodeCursor, decodeIdCursor, encodeCursor, toPage } from './pagination.js';
import { ProblemError } from './problem.js';

const row = (n: number): { date: Date; id: string } => ({
  date: new Date(1_700_000_000_000 + n),
  id: n.toString(16).padStart(24, '0'),
});

describe('cursors', () => {
  it('come back as they went in', () => {
    expect(decodeCursor(encodeCursor(row(7)))).toEqual(row(7));
  });

  it.each([
    '',
    'x',
    '!!!',
    Buffer.from('zz').toString('base64url'),
    Buffer.from('1.{"$gt":""}').toString('base64url'),
  ])('refuses %j with a 400', (text) => {
    expect(() => decodeCursor(text)).toThrow(ProblemError);
    expect(() => decodeIdCursor(text)).toThrow(ProblemError);
  });

  it('of one order are refused by the other', () => {
    const { id } = row(7);
    expect(decodeIdCursor(encodeCursor({ id }))).toEqual({ id });
    expect(() => decodeCursor(encodeCursor({ id }))).toThrow(ProblemError);
    expect(() => decodeIdCursor(encodeCursor(row(7)))).toThrow(ProblemError);
  });
});

describe('toPage', () => {
  const rows = [3, 2, 1].map(row);
  const page = (limit: number): { data: string[]; nextCursor: string | null } =>
    toPage(
      rows,
      limit,
      (r) => r,
      (r) => r.id,
    );

  it('gives the cursor of the last row shown when there is more', () => {
    const { data, nextCursor } = page(2);
    expect(data).toEqual([row(3).id, row(2).id]);
    expect(decodeCursor(nextCursor ?? '')).toEqual(row(2));
  });

  it('gives no cursor on the last page', () => {
    expect(page(3)).toEqual({ data: rows.map((r) => r.id), nextCursor: null });
  });
});
