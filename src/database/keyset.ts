import { Types } from 'mongoose';
import type { DateIdCursor } from '../http/index.js';

/** Query conditions on `Field` and `_id`. */
type KeysetFilter<Field extends string> = { [Name in Field]?: { $lte: Date } } & {
  $or?: Record<string, unknown>[];
};

/**
 * Matches rows after `cursor` in the order (`field`, `_id`), both descending; without a cursor, all rows.
 * `$or` alone would be correct; the additional condition on the field lets the index scan start at the
 * cursor.
 */
export function afterCursor<Field extends string>(
  field: Field,
  cursor: DateIdCursor | undefined,
): KeysetFilter<Field> {
  if (!cursor) return {};
  const { date, id } = cursor;
  return {
    [field]: { $lte: date },
    $or: [{ [field]: { $lt: date } }, { [field]: date, _id: { $lt: new Types.ObjectId(id) } }],
  } as KeysetFilter<Field>;
}

/**
 * Matches rows before the time `end` and after the position `after`, in the order (`field`, `_id`), both
 * ascending.
 */
export function beforeAndAfter(
  field: string,
  end: Date,
  after: { id: Types.ObjectId; at: Date } | undefined,
): Record<string, unknown> {
  if (!after) return { [field]: { $lt: end } };
  const { at, id } = after;
  return {
    [field]: { $gte: at, $lt: end },
    $or: [{ [field]: { $gt: at } }, { [field]: at, _id: { $gt: id } }],
  };
}

/** Returns a row's position in the order (`field`, `_id`), for use as a cursor. */
export const positionBy =
  <Field extends string>(field: Field) =>
  (row: Record<Field, Date> & { _id: Types.ObjectId }): DateIdCursor => ({
    date: row[field],
    id: row._id.toHexString(),
  });
