import { type ClientSession, type Db, type MongoClient, MongoError, MongoServerError } from 'mongodb';
import { messageOf } from '../../../src/common/index.js';
import type { Outcome } from './history.js';

/** A transaction on several documents: an order, its lines, and the total of the writer. */
export interface OrderRecord {
  seq: number;
  outcome: Outcome;
}

/**
 * The sequential writes of one client. `acked` and `sent` are counts that differ by at most one, the write
 * without a response.
 */
export interface WriterRecord {
  writer: string;
  acked: number;
  sent: number;
}

export interface OrderWriterRecord {
  writer: string;
  orders: OrderRecord[];
}

/** All writes sent under load, with what the store acknowledged. */
export interface StoreLedger {
  orderWriters: OrderWriterRecord[];
  inserters: WriterRecord[];
  counters: WriterRecord[];
  /** Counts by name of the errors that the kill and its consequences do not explain. */
  refused: Map<string, number>;
}

export const LINES_PER_ORDER = 3;

const ORDER_WRITERS = 8;
const INSERTERS = 4;
const COUNTERS = 4;
const NO_SUCH_TRANSACTION = 251;
/** The driver reports a connection that closes during a write as Node.js does, without wrapping it. */
const CLOSED_CONNECTION = ['ECONNRESET', 'EPIPE'];

const isClosedConnection = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && CLOSED_CONNECTION.some((code) => code === error.code);

/** Clients that write concurrently until the store is killed. The ledger records the responses. */
export class StoreCrashLoad {
  readonly ledger: StoreLedger = { orderWriters: [], inserters: [], counters: [], refused: new Map() };
  private killed = false;
  /** The session of the last commit of each writer, for retrying that commit. */
  private readonly lastCommits = new Map<OrderRecord, ClientSession>();

  /**
   * @param patient a client that waits for the store to restart and retries interrupted operations
   * @param hasty a client that does not retry, so that outcomes may stay unknown
   * @param prefix starts every name that this load creates
   */
  constructor(
    private readonly patient: MongoClient,
    private readonly hasty: MongoClient,
    private readonly prefix: string,
  ) {}

  /** Resolves when every client has received its last response or a connection error. */
  async run(): Promise<void> {
    const each = (count: number, kind: string, work: (db: Db, writer: string) => Promise<void>) =>
      Array.from({ length: count }, (_, at) => {
        const client = at % 2 === 0 ? this.patient : this.hasty;
        return work(client.db('crash'), `${this.prefix}-${kind}${at}`);
      });
    await Promise.all([
      ...each(ORDER_WRITERS, 'orders', (db, writer) => this.writeOrders(db, writer)),
      ...each(INSERTERS, 'inserts', (db, writer) => this.insert(db, writer)),
      ...each(COUNTERS, 'counter', (db, writer) => this.countUp(db, writer)),
    ]);
  }

  /** Called when the store is killed: no client starts another write. */
  stop(): void {
    this.killed = true;
  }

  /**
   * Retries the last commit of each writer, whether or not its outcome is known, and records the outcome.
   * Returns how many outcomes were unknown before.
   */
  async askAgain(): Promise<number> {
    let unknown = 0;
    for (const [order, session] of this.lastCommits) {
      const known = order.outcome;
      if (known === 'unknown') unknown++;
      const answer = await this.commit(session);
      if (known === 'unknown') order.outcome = answer;
      else if (answer !== known) this.count(`a commit reported as ${known} is now reported as ${answer}`);
      await session.endSession();
    }
    return unknown;
  }

  private async writeOrders(db: Db, writer: string): Promise<void> {
    const record: OrderWriterRecord = { writer, orders: [] };
    this.ledger.orderWriters.push(record);
    for (let seq = 1; !this.killed; seq++) {
      const order: OrderRecord = { seq, outcome: 'aborted' };
      record.orders.push(order);
      const session = db.client.startSession();
      session.startTransaction();
      try {
        await writeOrder(db, writer, seq, session);
      } catch (error) {
        this.judge(error);
        await session.abortTransaction().catch(() => undefined);
        await session.endSession();
        continue;
      }
      order.outcome = await this.commit(session);
      const before = record.orders.at(-2);
      if (before) await this.lastCommits.get(before)?.endSession();
      if (before) this.lastCommits.delete(before);
      this.lastCommits.set(order, session);
    }
  }

  private async commit(session: ClientSession): Promise<Outcome> {
    try {
      await session.commitTransaction();
      return 'committed';
    } catch (error) {
      this.judge(error);
      const unknown =
        !(error instanceof MongoServerError) || error.hasErrorLabel('UnknownTransactionCommitResult');
      return unknown ? 'unknown' : 'aborted';
    }
  }

  private async insert(db: Db, writer: string): Promise<void> {
    const record = { writer, acked: 0, sent: 0 };
    this.ledger.inserters.push(record);
    await this.untilKilled(record, async (seq) => {
      await db
        .collection<{ _id: string }>('inserts')
        .insertOne({ _id: `${writer}-${seq}`, ...{ writer, seq } });
    });
  }

  private async countUp(db: Db, writer: string): Promise<void> {
    const record = { writer, acked: 0, sent: 0 };
    this.ledger.counters.push(record);
    await this.untilKilled(record, async () => {
      await db
        .collection<{ _id: string; n: number }>('counters')
        .updateOne({ _id: writer }, { $inc: { n: 1 } }, { upsert: true });
    });
  }

  /** Stops at the first write without a response, so that only the outcome of the last write is unknown. */
  private async untilKilled(record: WriterRecord, write: (seq: number) => Promise<void>): Promise<void> {
    while (!this.killed) {
      record.sent++;
      try {
        await write(record.sent);
        record.acked++;
      } catch (error) {
        this.judge(error);
        return;
      }
    }
  }

  private judge(error: unknown): void {
    if (isClosedConnection(error)) return;
    const code = error instanceof MongoServerError ? error.code : undefined;
    // An error without a code is a closed connection, wrapped by a bulk write.
    if (error instanceof MongoError && (code === undefined || code === NO_SUCH_TRANSACTION)) return;
    this.count(messageOf(error));
  }

  private count(name: string): void {
    this.ledger.refused.set(name, (this.ledger.refused.get(name) ?? 0) + 1);
  }
}

async function writeOrder(db: Db, writer: string, seq: number, session: ClientSession): Promise<void> {
  const order = `${writer}-${seq}`;
  await db.collection<{ _id: string }>('orders').insertOne({ _id: order, ...{ writer, seq } }, { session });
  const lines = Array.from({ length: LINES_PER_ORDER }, (_, line) => ({
    order,
    writer,
    line,
    tags: [seq, line],
  }));
  await db.collection('lines').insertMany(lines, { session });
  await db
    .collection<{ _id: string; orders: number }>('totals')
    .updateOne({ _id: writer }, { $inc: { orders: 1 }, $set: { last: seq } }, { session, upsert: true });
}
