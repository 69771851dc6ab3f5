import { CursorReply, type Reply } from '../commands/reply.js';
import { isNumeric, toNumber, type Value } from '../values/bson.js';

/** Number of documents that clients have written and read since startup. */
export interface DocumentMetrics {
  inserted: number;
  returned: number;
  updated: number;
  deleted: number;
}

/** Adds the documents of one command. */
export function countDocuments(metrics: DocumentMetrics, command: string, reply: Reply): void {
  if (reply instanceof CursorReply) {
    metrics.returned += reply.docs.length;
    return;
  }
  if (command === 'insert') metrics.inserted += counted(reply['n'] as Value);
  else if (command === 'update') metrics.updated += counted(reply['nModified'] as Value);
  else if (command === 'delete') metrics.deleted += counted(reply['n'] as Value);
}

const counted = (value: Value): number =>
  typeof value === 'number' ? value : isNumeric(value) ? toNumber(value) : 0;
