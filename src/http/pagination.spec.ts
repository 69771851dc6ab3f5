import {
  contentSize,
  type CursorFormat,
  dateIdCursor,
  idCursor,
  MAX_PAGE_BYTES,
  readPage,
  seqCursor,
} from './pagination.js';
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

interface Row {
  seq: number;
  text: string;
}

describe('readPage', () => {
  /** A list of rows 1, 2, 3 … with a text of this length each. */
  const listOf = (count: number, length: number) => {
    const read = jest.fn((wanted: number, after = 0): Promise<Row[]> =>
      Promise.resolve(
        Array.from({ length: Math.max(0, Math.min(wanted, count - after)) }, (_, index): Row => ({
          seq: after + index + 1,
          text: 'x'.repeat(length),
        })),
      ),
    );
    const page = (limit: number, cursor?: string, batch?: number) =>
      readPage(
        seqCursor.after,
        {
          limit,
          from: seqCursor.after.decode(cursor),
          positionOf: ({ seq }: Row) => seq,
          read: (wanted, after) => read(wanted, after),
          ...(batch !== undefined && { batch }),
        },
        ({ seq }: Row) => seq,
      );
    return { read, page };
  };

  it('returns the cursor of the last row if there are more rows', async () => {
    const { data, nextCursor } = await listOf(3, 1).page(2);
    expect(data).toEqual([1, 2]);
    expect(seqCursor.after.decode(nextCursor ?? '')).toBe(2);
  });

  it.each([0, 1, 3, 64, 65])('returns no cursor on the last page of %i rows', async (count) => {
    const { data, nextCursor } = await listOf(count, 1).page(Math.max(1, count));
    expect([data.length, nextCursor]).toEqual([count, null]);
  });

  it('reads a page of small rows with one query, and long ones in batches', async () => {
    const { read, page } = listOf(1000, 1);
    await page(50);
    expect(read.mock.calls).toEqual([[51, undefined]]);
    read.mockClear();
    expect((await page(200)).data).toHaveLength(200);
    expect(read.mock.calls).toEqual([
      [64, undefined],
      [64, 64],
      [64, 128],
      [9, 192],
    ]);
  });

  it('ends a page that has reached its maximum size, and reads no further', async () => {
    const { read, page } = listOf(1000, MAX_PAGE_BYTES / 4);
    const { data, nextCursor } = await page(200, undefined, 16);
    expect(data).toEqual([1, 2, 3]);
    expect(seqCursor.after.decode(nextCursor ?? '')).toBe(3);
    expect(read).toHaveBeenCalledTimes(1);
  });

  it('returns at least one row, however large it is', async () => {
    expect(await listOf(2, 2 * MAX_PAGE_BYTES).page(10)).toMatchObject({ data: [1] });
  });

  it('returns every row once, in pages of any size', async () => {
    const { page } = listOf(100, MAX_PAGE_BYTES / 30);
    const seen: number[] = [];
    let cursor: string | undefined;
    do {
      const { data, nextCursor } = await page(40, cursor, 7);
      seen.push(...data);
      cursor = nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(seen).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
  });
});

describe('contentSize', () => {
  it.each([
    { text: 'x'.repeat(1000), list: ['a', 'b'], nested: { a: { b: 'c' } }, yes: true },
    { text: '한'.repeat(1000), metadata: {}, none: null, number: 12_345_678 },
    Array.from({ length: 100 }, (_, n) => ({ [`key${n}`]: 'value' })),
  ])('is near the size as JSON', (value) => {
    const size = contentSize(value);
    const bytes = Buffer.byteLength(JSON.stringify(value));
    expect(Math.abs(size - bytes) / bytes).toBeLessThan(0.1);
  });

  it('counts dates and binary values as a whole', () => {
    expect(contentSize(new Date())).toBe(28);
    expect(contentSize(Buffer.alloc(10_000))).toBe(28);
  });
});
