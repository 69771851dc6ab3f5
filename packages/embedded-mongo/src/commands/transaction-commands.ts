import { ServerError } from '../values/errors.js';
import type { Command } from './command.js';
import type { CommandContext, LogicalSession } from './host.js';

const transient = { errorLabels: ['TransientTransactionError'] };

function transactionOf(ctx: CommandContext): { session: LogicalSession; txnNumber: bigint } {
  if (!ctx.session || ctx.txnNumber === undefined) {
    throw new ServerError('InvalidOptions', `${ctx.name} must be run within a transaction`);
  }
  return { session: ctx.session, txnNumber: ctx.txnNumber };
}

export const noSuchTransaction = (txnNumber: bigint, outcome = 'aborted'): ServerError =>
  new ServerError(
    'NoSuchTransaction',
    `Transaction with { txnNumber: ${txnNumber} } has been ${outcome}.`,
    transient,
  );

const commitTransaction: Command = {
  name: 'commitTransaction',
  fields: ['commitTransaction', 'recoveryToken'],
  adminOnly: true,
  inTransaction: true,
  writes: true,
  counter: 'command',
  async run(ctx) {
    const { session, txnNumber } = transactionOf(ctx);
    const known = session.txnNumber === txnNumber;
    if (known && session.state === 'inProgress') {
      await ctx.host.commit(session, ctx.op.durable ?? true);
      return {};
    }
    if (known && session.state === 'committed') return {};
    if (known && session.state === 'aborted') throw noSuchTransaction(txnNumber);
    if (ctx.engine.transactionOutcome(session.lsid, txnNumber) === 'committed') return {};
    throw new ServerError(
      'NoSuchTransaction',
      `Given transaction number ${txnNumber} does not match any in-progress transactions. The active transaction number is ${session.txnNumber}`,
      transient,
    );
  },
};

const abortTransaction: Command = {
  name: 'abortTransaction',
  fields: ['abortTransaction', 'recoveryToken'],
  adminOnly: true,
  inTransaction: true,
  counter: 'command',
  run(ctx) {
    const { session, txnNumber } = transactionOf(ctx);
    const known = session.txnNumber === txnNumber;
    if (known && session.state === 'inProgress') {
      ctx.host.abort(session);
      return {};
    }
    const committed =
      (known && session.state === 'committed') ||
      ctx.engine.transactionOutcome(session.lsid, txnNumber) === 'committed';
    if (committed) {
      throw new ServerError(
        'TransactionCommitted',
        `Transaction with { txnNumber: ${txnNumber} } has been committed.`,
      );
    }
    throw noSuchTransaction(txnNumber);
  },
};

export const transactionCommands: readonly Command[] = [commitTransaction, abortTransaction];
