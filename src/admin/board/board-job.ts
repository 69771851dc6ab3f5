import type { JobState as BoardState, QueueJob, QueueJobJson } from '@bull-board/api/dist/types.js';
import type { JobRecord, QueueService } from '../../queue/index.js';

/**
 * `row`: in a list, without payload and result, which may contain personal data; `whole`: on the page of the
 * job.
 */
export type Detail = 'row' | 'whole';

const onItsPage = 'shown on the page of the job';

function failuresOf({ state, failures }: JobRecord, detail: Detail): string[] {
  // Lists show every job that has an error as failed.
  const isShown = state === 'failed' || (detail === 'whole' && state !== 'completed');
  if (!isShown) return [];
  return failures.map(({ at, attempt, message }) => `Attempt ${attempt}, ${at.toISOString()}\n${message}`);
}

function toJson(record: JobRecord, detail: Detail): QueueJobJson {
  const { _id, tenantId, state, priority, dueAt, attempts, progress, failures, createdAt, startedAt } =
    record;
  const isFinished = state === 'completed' || state === 'failed';
  // The board adds the delay to the creation time.
  const delay = state === 'delayed' && { delay: Math.max(0, dueAt.getTime() - createdAt.getTime()) };
  return {
    id: _id.toHexString(),
    name: tenantId,
    progress,
    attemptsMade: attempts,
    timestamp: createdAt.getTime(),
    ...(state !== 'waiting' && state !== 'delayed' && { processedOn: (startedAt ?? dueAt).getTime() }),
    finishedOn: isFinished ? dueAt.getTime() : null,
    ...delay,
    failedReason: state === 'failed' ? (failures.at(-1)?.message ?? '') : '',
    stacktrace: failuresOf(record, detail),
    data: detail === 'whole' ? record.payload : onItsPage,
    returnvalue: detail === 'whole' ? (record.result ?? null) : onItsPage,
    opts: {
      tenantId,
      priority,
      ...delay,
      ...(detail === 'whole' && record.dedupeKey !== undefined && { dedupeKey: record.dedupeKey }),
    },
  };
}

/** Adapts a job for Bull Board. Its actions are applied to the record, and the driver is notified. */
export function boardJob(record: JobRecord, queues: QueueService, detail: Detail): QueueJob {
  const { queue, state } = record;
  const id = record._id.toHexString();
  return {
    opts: {},
    promote: async () => {
      await queues.promote(queue, id);
    },
    remove: () => queues.remove(queue, id),
    retry: async () => {
      await queues.retry(queue, id);
    },
    toJSON: () => toJson(record, detail),
    getState: () => Promise.resolve(state as BoardState),
  };
}
