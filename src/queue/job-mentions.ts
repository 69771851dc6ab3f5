import type { JobRecord } from './job.schema.js';

/** Separates the parts of a dedupeKey. */
const SEPARATOR = ':';

function addNames(value: unknown, names: Set<string>): void {
  if (typeof value === 'string') names.add(value);
  if (typeof value !== 'object' || value === null) return;
  for (const [key, member] of Object.entries(value)) {
    names.add(key);
    addNames(member, names);
  }
}

/** Parts of a dedupeKey that may be an id: ids may contain the separator. */
function addParts(dedupeKey: string, names: Set<string>): void {
  const parts = dedupeKey.split(SEPARATOR);
  for (let from = 0; from < parts.length; from++)
    for (let to = from + 1; to <= parts.length; to++) names.add(parts.slice(from, to).join(SEPARATOR));
}

/**
 * What a job may be about: the members of its payload and result, their names, and the parts of its dedupeKey.
 * Texts that only contain an id do not count, because short ids occur in the texts of others.
 */
export function namesIn({
  payload,
  result,
  dedupeKey,
}: Pick<JobRecord, 'payload' | 'result' | 'dedupeKey'>): Set<string> {
  const names = new Set<string>();
  addNames(payload, names);
  addNames(result, names);
  if (dedupeKey !== undefined) addParts(dedupeKey, names);
  return names;
}
