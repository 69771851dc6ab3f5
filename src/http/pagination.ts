import { ProblemError } from './problem.js';

/** One page of a list. `nextCursor` is null on the last page. */
export interface Page<T> {
  data: T[];
  nextCursor: string | null;
}

/** A position in a list sorted by (date, id), both descending: the last row of a page. */
export interface DateIdCursor {
  date: Date;
  id: string;
}

/** A position in a list sorted by id alone. */
export type IdCursor = Pick<DateIdCursor, 'id'>;

/**
 * Encodes and decodes the positions of one kind of list as cursors. A cursor is opaque to clients. It remains
 * valid when rows are inserted between two requests, because it contains a position in the order, not a
 * number of rows.
 */
export interface CursorFormat<Position> {
  encode(position: Position): string;
  /**
   * Returns the position in a cursor, or undefined (the first page) if there is no cursor.
   * @throws ProblemError 400 `invalid_cursor` for text that no page of this kind of list returned
   */
  decode(cursor: string | undefined): Position | undefined;
}

export const invalidCursor = (): ProblemError =>
  new ProblemError({
    status: 400,
    code: 'invalid_cursor',
    title: 'The cursor is not valid',
    detail:
      'Pass the value of "nextCursor" unchanged as "cursor", with the same filters and order, or omit it for the first page.',
  });

/**
 * @param pattern matches the complete text of a position that `write` produced
 * @param read converts the groups of `pattern` to a position; undefined if they do not represent one
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

/** For lists sorted by (date, id). */
export const dateIdCursor = cursorFormat<DateIdCursor>(
  /^(-?[0-9a-z]{1,12})\.([0-9a-f]{24})$/,
  ({ date, id }) => `${date.getTime().toString(36)}.${id}`,
  (time = '', id = '') => {
    const date = new Date(parseInt(time, 36));
    return Number.isNaN(date.getTime()) ? undefined : { date, id };
  },
);

/** For lists sorted by id. */
export const idCursor = cursorFormat<IdCursor>(
  /^([0-9a-f]{24})$/,
  ({ id }) => id,
  (id = '') => ({ id }),
);

/** For lists sorted by a text, such as an id that tenants choose. */
export const textCursor = cursorFormat<string>(
  /^text\.([\s\S]{1,512})$/,
  (text) => `text.${text}`,
  (text) => text,
);

const seqFormat = (direction: string): CursorFormat<number> =>
  cursorFormat(
    new RegExp(`^${direction}\\.(\\d{1,15})$`),
    (seq) => `${direction}.${seq}`,
    (seq) => Number(seq),
  );

/**
 * For lists sorted by `seq`, forward (`after`) or backward (`before`). A cursor of one direction is rejected
 * by the other.
 */
export const seqCursor = { after: seqFormat('after'), before: seqFormat('before') };

/**
 * Builds a page from rows that were read with one more than `limit`, and encodes the cursor of the next page.
 */
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
