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
