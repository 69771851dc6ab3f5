import { Schema } from 'mongoose';

export const RATE_LIMIT_MODEL = 'QueueRateLimit';

/** One document per queue with a rate limit. */
export interface RateLimitRecord {
  _id: string;
  /** Number of jobs started since `since`. */
  count: number;
  since: Date;
}

// Found by _id, the queue's name. Queues are not specific to a tenant.
export const rateLimitSchema = new Schema<RateLimitRecord>(
  {
    _id: { type: String, required: true },
    count: { type: Number, required: true },
    since: { type: Date, required: true },
  },
  { collection: 'queue_rate_limits', versionKey: false, autoIndex: false, id: false },
);
