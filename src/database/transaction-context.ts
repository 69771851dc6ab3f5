import { AsyncLocalStorage } from 'node:async_hooks';
import type { mongo } from 'mongoose';

/** One try of a running transaction. */
export interface TransactionContext {
  session: mongo.ClientSession;
  attempt: number;
  afterCommit: (() => void | Promise<void>)[];
  /** The work has ended: what it left behind in its asynchronous context takes part no more. */
  isOver: boolean;
}

export const transactionStorage = new AsyncLocalStorage<TransactionContext>();

const running = new WeakMap<object, number>();

/**
 * Runs `work` with `value` in `storage`. When nothing runs in the storage any more it is disabled: before Node 24, one that is enabled
 * costs a hook on each promise of the process.
 */
export async function runWithin<Value, Result>(
  storage: AsyncLocalStorage<Value>,
  value: Value,
  work: () => Promise<Result>,
): Promise<Result> {
  running.set(storage, (running.get(storage) ?? 0) + 1);
  try {
    return await storage.run(value, work);
  } finally {
    const left = (running.get(storage) ?? 1) - 1;
    running.set(storage, left);
    if (left === 0) storage.disable();
  }
}
