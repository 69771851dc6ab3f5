import { type CursorFormat, dateIdCursor, idCursor, seqCursor, toPage } from './pagination.js';
import { ProblemError } from './problem.js';

const row = (n: number): { date: Date; id: string } => ({
  date: new Date(1_700_000_000_000 + n),
  id: n.toString(16).padStart(24, '0'),
});

const cursorOf = (text: string): string => Buffer.from(text).toString('base64url');

const formats: [string, CursorFormat<unknown>, unknown][] = [
  ['date and id', dateIdCursor, row(7)],
  ['id', idCursor, { id: row(7).id }],
  ['seq, forward', seqCursor.after, 40],
  ['seq, backward', seqCursor.before, 7],
];

describe.each(formats)('the cursor of %s', (_name, format, position) => {
  it('decodes to the position that was encoded', () => {
    expect(format.decode(format.encode(position))).toEqual(position);
  });

  it('is undefined for the first page', () => {
    expect(format.decode(undefined)).toBeUndefined();
  });

  it('is rejected by every other kind of list', () => {
    for (const [, other] of formats)
      if (other !== format) expect(() => other.decode(format.encode(position))).toThrow(ProblemError);
  });

  it.each([
    '',
    'x',
    '!!!',
    cursorOf('zz'),
    cursorOf('1.{"$gt":""}'),
    cursorOf('after.x'),
    cursorOf(`zzzzzzzzzzzz.${row(7).id}`),
    cursorOf(`1.${row(7).id}.1`),
  ])('rejects %j with 400 invalid_cursor', (text) => {
    expect(() => format.decode(text)).toThrow(
      expect.objectContaining({
        problem: expect.objectContaining({ status: 400, code: 'invalid_cursor' }) as unknown,
      }) as Error,
    );
  });
});

it('a date before 1970 is preserved', () => {
  const early = { date: new Date(-1), id: row(7).id };
  expect(dateIdCursor.decode(dateIdCursor.encode(early))).toEqual(early);
});

describe('toPage', () => {
  const rows = [3, 2, 1].map(row);
  const page = (limit: number): { data: string[]; nextCursor: string | null } =>
    toPage(
      rows,
      limit,
      dateIdCursor,
      (r) => r,
      (r) => r.id,
    );

  it('returns the cursor of the last row if there are more rows', () => {
    const { data, nextCursor } = page(2);
    expect(data).toEqual([row(3).id, row(2).id]);
    expect(dateIdCursor.decode(nextCursor ?? '')).toEqual(row(2));
  });

  it('returns no cursor on the last page', () => {
    expect(page(3)).toEqual({ data: rows.map((r) => r.id), nextCursor: null });
  });
});
