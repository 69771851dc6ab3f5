import { Types } from 'mongoose';
import { afterCursor } from './keyset.js';

const id = '0123456789abcdef01234567';
const date = new Date('2026-01-01T00:00:00Z');

describe('afterCursor', () => {
  it('limits the field, and orders equal dates by id', () => {
    expect(afterCursor('createdAt', { date, id })).toEqual({
      createdAt: { $lte: date },
      $or: [{ createdAt: { $lt: date } }, { createdAt: date, _id: { $lt: new Types.ObjectId(id) } }],
    });
  });

  it('adds no condition for the first page', () => {
    expect(afterCursor('createdAt', undefined)).toEqual({});
  });
});
