import { Types } from 'mongoose';
import type { DateIdCursor } from '../http/index.js';

interface PageFilter {
  createdAt?: { $lte: Date };
  $or?: ({ createdAt: { $lt: Date } } | { _id: { $lt: Types.ObjectId } })[];
}

/**
 * Builds the filter for rows after the cursor in the order (createdAt, _id), both descending. The condition
 * on createdAt that `$or` implies is also stated explicitly, so that the scan of the index starts at the
 * cursor.
 */
export function afterCursor(cursor: DateIdCursor | undefined): PageFilter {
  if (!cursor) return {};
  const { date, id } = cursor;
  return {
    createdAt: { $lte: date },
    $or: [{ createdAt: { $lt: date } }, { _id: { $lt: new Types.ObjectId(id) } }],
  };
}
