import { Schema } from 'mongoose';

export const RATE_LIMIT_MODEL = 'QueueRateLimit';

/** One row for each queue with a rate limit. */
export interface RateLimitRecord {
  _id: string;
  /** Jobs that began since `since`. */
  count: number;
  since: Date;
}

// Found by _id, which is the queue's name; queues are not of a tenant.
export const rateLimitSchema = new Schema<RateLimitRecord>(
  {
    _id: { type: String, required: true },
    count: { type: Number, required: true },
    since: { type: Date, required: true },
  },
  { collection: 'queue_rate_limits', versionKey: false, autoIndex: false, id: false },
);
