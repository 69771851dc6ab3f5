import type { JobRecord } from './job.schema.js';

/** Separates the parts of a dedupeKey. */
const SEPARATOR = ':';

function hasValue(value: unknown, id: string): boolean {
  if (typeof value === 'string') return value === id;
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([key, member]) => key === id || hasValue(member, id));
}

/**
 * Whether a job is about the id: a member of its payload or result is, or has the name of, the id, or a part of
 * its dedupeKey is. Texts that only contain the id do not count, because short ids occur in the texts of others.
 */
export const mentions = (
  { payload, result, dedupeKey = '' }: Pick<JobRecord, 'payload' | 'result' | 'dedupeKey'>,
  id: string,
): boolean =>
  hasValue(payload, id) ||
  hasValue(result, id) ||
  `${SEPARATOR}${dedupeKey}${SEPARATOR}`.includes(`${SEPARATOR}${id}${SEPARATOR}`);
