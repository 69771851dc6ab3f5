import type { Command } from '../commands/command.js';
import { noSuchTransaction } from '../commands/transaction-commands.js';
import type { OpContext } from '../engine/types.js';
import { ServerError } from '../values/errors.js';
import type { RequestOptions } from './request-options.js';
import type { Session } from './sessions.js';
import type { ServerState } from './state.js';

/**
 * Updates the session according to the command's transaction number: starts a transaction, joins the open
 * one, or makes the command a retryable write. Returns the engine's context for the command.
 */
export function enterTransaction(
  state: ServerState,
  session: Session,
  command: Command,
  name: string,
  options: RequestOptions,
): OpContext {
  const txnNumber = options.txnNumber!;
  state.noticeExpiry(session);
  const ending = command.name === 'commitTransaction' || command.name === 'abortTransaction';
  if (txnNumber < session.txnNumber && !ending) throw tooOld(session, txnNumber, options.startTransaction);
  if (!options.inTransaction) return enterRetryableWrite(state, session, txnNumber);
  if (!command.inTransaction) {
    state.abort(session);
    throw new ServerError(
      'OperationNotSupportedInTransaction',
      `Cannot run '${name}' in a multi-document transaction.`,
    );
  }
  if (ending) return {};
  if (options.startTransaction) begin(state, session, txnNumber);
  else checkOpen(session, txnNumber);
  return { txn: session.txn! };
}

function enterRetryableWrite(state: ServerState, session: Session, txnNumber: bigint): OpContext {
  if (txnNumber > session.txnNumber) {
    state.abort(session);
    session.txnNumber = txnNumber;
    session.state = 'none';
  } else if (session.state !== 'none') {
    throw new ServerError(
      217,
      `Transaction number ${txnNumber} was already used for a multi-document transaction`,
      { codeName: 'IncompleteTransactionHistory' },
    );
  }
  return { retry: { lsid: session.lsid, txnNumber } };
}

function begin(state: ServerState, session: Session, txnNumber: bigint): void {
  if (txnNumber === session.txnNumber) {
    throw new ServerError(
      50911,
      `Cannot start a transaction at given transaction number ${txnNumber} a transaction with the same number is in state ${session.state}`,
    );
  }
  state.abort(session);
  state.begin(session, txnNumber);
}

function checkOpen(session: Session, txnNumber: bigint): void {
  if (txnNumber > session.txnNumber || session.state === 'none') {
    throw new ServerError(
      'NoSuchTransaction',
      `Given transaction number ${txnNumber} does not match any in-progress transactions. The active transaction number is ${session.txnNumber}`,
      { errorLabels: ['TransientTransactionError'] },
    );
  }
  if (session.state === 'aborted') throw noSuchTransaction(txnNumber);
  if (session.state === 'committed') {
    throw new ServerError(
      'TransactionCommitted',
      `Transaction with { txnNumber: ${txnNumber} } has been committed.`,
    );
  }
}

function tooOld(session: Session, txnNumber: bigint, starting: boolean): ServerError {
  const what = starting ? 'start transaction' : 'run a command';
  return new ServerError(
    'TransactionTooOld',
    `Cannot ${what} with { txnNumber: ${txnNumber} } on session ${session.lsid} because a newer transaction with txnNumber ${session.txnNumber} has already started on this session.`,
  );
}
