import { ProblemError } from './problem.js';

/** One page of a list. `nextCursor` is null on the last page only. */
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

/** A page ends once it has this much content, in bytes of UTF-8, even if it has fewer rows than `limit`. */
export const MAX_PAGE_BYTES = 2 * 1024 * 1024;

/** Rows in one query of a page. */
const BATCH = 64;

/**
 * Approximate size of a value as JSON, in bytes: the texts in it, and a little for everything else. Costs less
 * than serializing it.
 */
export function contentSize(value: unknown): number {
  // Short texts are counted by their length, because a call into the runtime would take longer.
  if (typeof value === 'string') return 2 + (value.length < 100 ? value.length : Buffer.byteLength(value));
  if (typeof value !== 'object' || value === null) return 8;
  let size = 2;
  if (Array.isArray(value)) for (const item of value) size += 1 + contentSize(item);
  // Dates, ids of documents and binary values.
  else if (Object.getPrototypeOf(value) !== Object.prototype) size += 26;
  else for (const [key, inner] of Object.entries(value)) size += 4 + key.length + contentSize(inner);
  return size;
}

export interface PageQuery<Row, Position> {
  /** Maximum number of rows. */
  limit: number;
  /** Where the page begins; undefined for the first one. */
  from: Position | undefined;
  positionOf: (row: Row) => Position;
  /** Returns the first `count` rows after a position. */
  read: (count: number, after: Position | undefined) => Promise<readonly Row[]>;
  /** Maximum number of rows in one query: so few that even the largest ones fit into memory. */
  batch?: number;
  /** Number of rows in the first query, before the size of the rows is known. */
  firstBatch?: number;
}

/**
 * Reads the rows of a page: at most `limit`, at most MAX_PAGE_BYTES of content, but at least one. They are read
 * in batches, so that memory never holds more than the page and one batch.
 */
async function readRows<Row, Position>({
  limit,
  from,
  positionOf,
  read,
  batch: maxCount = BATCH,
  firstBatch = maxCount,
}: PageQuery<Row, Position>): Promise<{ rows: Row[]; hasMore: boolean }> {
  const rows: Row[] = [];
  let bytes = 0;
  for (let after = from; ;) {
    // As many as fit if the next rows are as large as those before.
    const fitting = Math.ceil((MAX_PAGE_BYTES - bytes) / (bytes / rows.length)) || firstBatch;
    const count = Math.min(limit + 1 - rows.length, maxCount, Math.max(1, fitting));
    const batch = await read(count, after);
    for (const row of batch) {
      const size = contentSize(row);
      if (rows.length === limit || (rows.length > 0 && bytes + size > MAX_PAGE_BYTES))
        return { rows, hasMore: true };
      rows.push(row);
      bytes += size;
    }
    const last = rows.at(-1);
    if (batch.length < count || last === undefined) return { rows, hasMore: false };
    after = positionOf(last);
  }
}

/** Reads a page, and encodes the cursor of the next one. */
export async function readPage<Row, Position, T = Row>(
  format: CursorFormat<Position>,
  query: PageQuery<Row, Position>,
  view: (row: Row) => T,
): Promise<Page<T>> {
  const { rows, hasMore } = await readRows(query);
  const last = rows.at(-1);
  return {
    data: rows.map(view),
    nextCursor: hasMore && last !== undefined ? format.encode(query.positionOf(last)) : null,
  };
}
