import { Types } from 'mongoose';
import type { DateIdCursor } from '../http/index.js';

interface PageFilter {
  createdAt?: { $lte: Date };
  $or?: ({ createdAt: { $lt: Date } } | { _id: { $lt: Types.ObjectId } })[];
}

/**
 * Rows that come after the cursor in the order (createdAt, _id), both descending. The bound on createdAt that is implied by `$or` is
 * given as well, so that the index on the order is entered at the cursor.
 */
export function afterCursor(cursor: DateIdCursor | undefined): PageFilter {
  if (!cursor) return {};
  const { date, id } = cursor;
  return {
    createdAt: { $lte: date },
    $or: [{ createdAt: { $lt: date } }, { _id: { $lt: new Types.ObjectId(id) } }],
  };
}
