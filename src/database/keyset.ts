import { Types } from 'mongoose';
import type { DateIdCursor } from '../http/index.js';

/** Conditions of a query by `Field` and `_id`. */
type KeysetFilter<Field extends string> = { [Name in Field]?: { $lte: Date } } & {
  $or?: Record<string, unknown>[];
};

/**
 * Rows that come after `cursor` in the order (`field`, `_id`), both descending; every row without a cursor.
 * `$or` alone would be enough: the bound on the field is given as well so that an index on the order is
 * entered at the cursor.
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

/** The position of a row in the order (`field`, `_id`), for the cursor after it. */
export const positionBy =
  <Field extends string>(field: Field) =>
  (row: Record<Field, Date> & { _id: Types.ObjectId }): DateIdCursor => ({
    date: row[field],
    id: row._id.toHexString(),
  });
