import { ProblemError } from './problem.js';

/** A page of a list. `nextCursor` is null on the last page. */
export interface Page<T> {
  data: T[];
  nextCursor: string | null;
}

/** Where a page ended in a list that is sorted by (date, id), both descending. */
export interface DateIdCursor {
  date: Date;
  id: string;
}

/** Where a page ended in a list that is sorted by id alone. */
export type IdCursor = Pick<DateIdCursor, 'id'>;

const objectIdPattern = /^[0-9a-f]{24}$/;

const textOf = (cursor: string): string => Buffer.from(cursor, 'base64url').toString('utf8');

const invalidCursor = (): ProblemError =>
  new ProblemError({
    status: 400,
    code: 'invalid_cursor',
    title: 'The cursor is not valid',
    detail:
      'Pass "cursor" exactly as "nextCursor" was given, with the same filters and order, or leave it out for the first page.',
  });

/** Opaque to clients; survives inserts between pages because it names a position in the order, not a count of rows. */
export const encodeCursor = ({ date, id }: IdCursor & Partial<DateIdCursor>): string =>
  Buffer.from(date ? `${date.getTime().toString(36)}.${id}` : id).toString('base64url');

/** @throws ProblemError 400 `invalid_cursor` for text that no page of a list by date returned. */
export function decodeCursor(cursor: string): DateIdCursor {
  const [time, id, ...rest] = textOf(cursor).split('.');
  const date = new Date(parseInt(time ?? '', 36));
  if (!id || !objectIdPattern.test(id) || rest.length > 0 || Number.isNaN(date.getTime()))
    throw invalidCursor();
  return { date, id };
}

/** @throws ProblemError 400 `invalid_cursor` for text that no page of a list by id returned. */
export function decodeIdCursor(cursor: string): IdCursor {
  const id = textOf(cursor);
  if (!objectIdPattern.test(id)) throw invalidCursor();
  return { id };
}

/** Cuts a list that was read with one row more than `limit`, and makes the cursor of the next page. */
export function toPage<Row, T>(
  rows: readonly Row[],
  limit: number,
  cursorAt: (row: Row) => DateIdCursor | IdCursor,
  view: (row: Row) => T,
): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    data: shown.map(view),
    nextCursor: rows.length > limit && last !== undefined ? encodeCursor(cursorAt(last)) : null,
  };
}
