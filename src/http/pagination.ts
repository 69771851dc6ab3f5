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

/**
 * How the positions of one kind of list are written as cursors. A cursor is opaque to clients, and survives
 * inserts between pages because it holds a position in the order, not a count of rows.
 */
export interface CursorFormat<Position> {
  encode(position: Position): string;
  /**
   * The position of a cursor; undefined without one, which is the first page.
   * @throws ProblemError 400 `invalid_cursor` for text that no page of this kind of list returned
   */
  decode(cursor: string | undefined): Position | undefined;
}

const invalidCursor = (): ProblemError =>
  new ProblemError({
    status: 400,
    code: 'invalid_cursor',
    title: 'The cursor is not valid',
    detail:
      'Pass "cursor" exactly as "nextCursor" was given, with the same filters and order, or leave it out for the first page.',
  });

/**
 * @param pattern matches the whole text of a position that was written by `write`
 * @param read makes a position of the groups of `pattern`; undefined when they stand for none
 */
function cursorFormat<Position>(
  pattern: RegExp,
  write: (position: Position) => string,
  read: (...groups: string[]) => Position | undefined,
): CursorFormat<Position> {
  return {
    encode: (position) => Buffer.from(write(position)).toString('base64url'),
    decode: (cursor) => {
      if (cursor === undefined) return undefined;
      const match = pattern.exec(Buffer.from(cursor, 'base64url').toString('utf8'));
      const position = match && read(...match.slice(1));
      if (position === null || position === undefined) throw invalidCursor();
      return position;
    },
  };
}

/** For lists in the order (date, id). */
export const dateIdCursor = cursorFormat<DateIdCursor>(
  /^(-?[0-9a-z]{1,12})\.([0-9a-f]{24})$/,
  ({ date, id }) => `${date.getTime().toString(36)}.${id}`,
  (time = '', id = '') => {
    const date = new Date(parseInt(time, 36));
    return Number.isNaN(date.getTime()) ? undefined : { date, id };
  },
);

/** For lists in the order of ids. */
export const idCursor = cursorFormat<IdCursor>(
  /^([0-9a-f]{24})$/,
  ({ id }) => id,
  (id = '') => ({ id }),
);

const seqFormat = (direction: string): CursorFormat<number> =>
  cursorFormat(
    new RegExp(`^${direction}\\.(\\d{1,15})$`),
    (seq) => `${direction}.${seq}`,
    (seq) => Number(seq),
  );

/**
 * For lists in the order of `seq`, forward after one or backward before one: a cursor of one direction is
 * refused by the other.
 */
export const seqCursor = { after: seqFormat('after'), before: seqFormat('before') };

/** Cuts a list that was read with one row more than `limit`, and makes the cursor of the next page. */
export function toPage<Row, Position, T>(
  rows: readonly Row[],
  limit: number,
  format: CursorFormat<Position>,
  positionOf: (row: Row) => Position,
  view: (row: Row) => T,
): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    data: shown.map(view),
    nextCursor: rows.length > limit && last !== undefined ? format.encode(positionOf(last)) : null,
  };
}
