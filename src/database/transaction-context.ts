import { AsyncLocalStorage } from 'node:async_hooks';
import type { mongo } from 'mongoose';

/** One attempt of a running transaction. */
export interface TransactionContext {
  session: mongo.ClientSession;
  attempt: number;
  /** A command was sent in it, or may have been: its session was handed out. */
  hasCommands: boolean;
  afterCommit: (() => void | Promise<void>)[];
  /**
   * The work has ended. Whatever still runs in its asynchronous context no longer takes part in the
   * transaction.
   */
  isOver: boolean;
}

export const transactionStorage = new AsyncLocalStorage<TransactionContext>();

const running = new WeakMap<object, number>();

/**
 * Runs `work` with `value` in `storage`, and disables the storage when no run is left in it: before Node 24,
 * an enabled storage adds a hook to every promise of the process.
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
