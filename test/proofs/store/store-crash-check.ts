import type { Db } from 'mongodb';
import { LINES_PER_ORDER, type StoreLedger } from './store-crash-load.js';
import { validateAll } from './validate-all.js';

export interface StoreCrashProblem {
  /**
   * lost: acknowledged but not stored. torn: only part of an atomic write is stored. refused: an aborted or
   * unsent write is stored. damaged: an index does not match the documents.
   */
  kind: 'lost' | 'torn' | 'refused' | 'damaged';
  text: string;
}

/** The contents of the store after a crash. */
export interface StoredAfterCrash {
  /** The numbers of the orders of each writer. */
  orders: ReadonlyMap<string, readonly number[]>;
  /** The number of lines of each order. */
  lines: ReadonlyMap<string, number>;
  totals: ReadonlyMap<string, number>;
  /** The numbers of the inserts of each writer. */
  inserts: ReadonlyMap<string, readonly number[]>;
  counters: ReadonlyMap<string, number>;
}

/**
 * Reads what the writers of a load have stored; their names start with the prefix. Orders and inserts are
 * read from indexes.
 */
export async function readStored(db: Db, prefix: string): Promise<StoredAfterCrash> {
  const mine = { $gte: `${prefix}-`, $lt: `${prefix}.` };
  const numbers = async (name: string): Promise<Map<string, number[]>> => {
    const found = await db
      .collection<{ _id: string; writer: string; seq: number }>(name)
      .find({ writer: mine }, { hint: { writer: 1, seq: 1 } })
      .toArray();
    return gather(found.map(({ writer, seq }) => [writer, seq]));
  };
  const valuesOf = async (name: string, field: string): Promise<Map<string, number>> => {
    const found = await db.collection<{ _id: string }>(name).find({ _id: mine }).toArray();
    return new Map(
      found.map((document) => [document._id, (document as Record<string, unknown>)[field] as number]),
    );
  };
  const lines = await db
    .collection<{ order: string }>('lines')
    .find({ writer: mine }, { projection: { order: 1 } })
    .toArray();
  const linesOf = new Map<string, number>();
  for (const { order } of lines) linesOf.set(order, (linesOf.get(order) ?? 0) + 1);
  return {
    orders: await numbers('orders'),
    lines: linesOf,
    totals: await valuesOf('totals', 'orders'),
    inserts: await numbers('inserts'),
    counters: await valuesOf('counters', 'n'),
  };
}

function gather(pairs: readonly [string, number][]): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const [writer, seq] of pairs) {
    const known = found.get(writer);
    if (known) known.push(seq);
    else found.set(writer, [seq]);
  }
  return found;
}

/** Compares the stored data with everything that was acknowledged. */
export function checkStored(ledger: StoreLedger, stored: StoredAfterCrash): StoreCrashProblem[] {
  const problems: StoreCrashProblem[] = [];
  const report = (kind: StoreCrashProblem['kind'], text: string): void => void problems.push({ kind, text });
  for (const { writer, orders } of ledger.orderWriters) {
    const found = new Set(stored.orders.get(writer));
    for (const { seq, outcome } of orders) {
      const lines = stored.lines.get(`${writer}-${seq}`) ?? 0;
      if (lines !== (found.has(seq) ? LINES_PER_ORDER : 0))
        report('torn', `${writer}-${seq} is ${found.has(seq) ? '' : 'not '}stored and has ${lines} lines`);
      if (outcome === 'committed' && !found.has(seq)) report('lost', `${writer}-${seq} was committed`);
      if (outcome === 'aborted' && found.has(seq)) report('refused', `${writer}-${seq} was not committed`);
    }
    const total = stored.totals.get(writer) ?? 0;
    if (total !== found.size) report('torn', `${writer} has ${found.size} orders and a total of ${total}`);
  }
  for (const { writer, acked, sent } of ledger.inserters) {
    const found = new Set(stored.inserts.get(writer));
    for (let seq = 1; seq <= acked; seq++) if (!found.has(seq)) report('lost', `the insert ${writer}-${seq}`);
    if (found.size > sent) report('refused', `${writer} has ${found.size} inserts of ${sent} that were sent`);
  }
  for (const { writer, acked, sent } of ledger.counters) {
    const value = stored.counters.get(writer) ?? 0;
    if (value < acked || value > sent)
      report('lost', `${writer} has the value ${value}; acknowledged ${acked}, sent ${sent}`);
  }
  return problems;
}

/** The errors that `validate` reports, as problems of kind `damaged`. */
export const findDamage = async (db: Db): Promise<StoreCrashProblem[]> =>
  (await validateAll(db)).map((text) => ({ kind: 'damaged', text }));
