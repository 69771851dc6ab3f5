import { Schema } from 'mongoose';

export const ENDED_SESSION_MODEL = 'EndedAdminSession';

/** A session of the admin pages that was ended by signing out, kept until it would have expired anyway. */
export interface EndedSessionRecord {
  /** The id of the session. It does not authenticate anybody. */
  _id: string;
  expiresAt: Date;
}

/** Does not belong to a tenant and must stay unsharded: it has one small row per sign-out of the last hours. */
export const endedSessionSchema = new Schema<EndedSessionRecord>(
  { _id: { type: String, required: true }, expiresAt: { type: Date, required: true } },
  { collection: 'ended_admin_sessions', versionKey: false, autoIndex: false, id: false },
);
// Serves no query: the database deletes rows of sessions that have expired.
endedSessionSchema.index({ expiresAt: 1 }, { expireAfterSeconds: 0 });
