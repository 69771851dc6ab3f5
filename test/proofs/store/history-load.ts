import {
  type ClientSession,
  type Collection,
  type MongoClient,
  MongoError,
  MongoServerError,
  type UpdateFilter,
} from 'mongodb';
import type { History, Outcome, RecordedTransaction } from './history.js';

interface KeyDocument {
  _id: string;
  value: number;
  items: number[];
}

const ACCOUNTS = 8;
const COUNTERS = 3;
const LISTS = 4;
const PAIRS = 3;
const START_BALANCE = 100;
const ABORTED_ON_PURPOSE = 0.08;
const COMMIT_ATTEMPTS = 6;

const range = <T>(count: number, make: (at: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => make(at));

const initialValues: Readonly<Record<string, number>> = Object.fromEntries([
  ...range(ACCOUNTS, (at) => [`account:${at}`, START_BALANCE] as const),
  ...range(COUNTERS, (at) => [`counter:${at}`, 0] as const),
  ...range(LISTS, (at) => [`list:${at}`, 0] as const),
  ...range(PAIRS, (at) => [`pair:${at}:left`, 1] as const),
  ...range(PAIRS, (at) => [`pair:${at}:right`, 1] as const),
]);

const keysOf = (prefix: string): string[] =>
  Object.keys(initialValues).filter((key) => key.startsWith(prefix));

class AbortedOnPurpose extends Error {}

/** One attempt at a transaction: executes its steps and records them. */
class Attempt {
  readonly steps: RecordedTransaction['steps'] = [];
  marked = false;

  constructor(
    readonly id: number,
    private readonly load: HistoryLoad,
    private readonly session?: ClientSession,
  ) {}

  private get options(): { session?: ClientSession } {
    return this.session ? { session: this.session } : {};
  }

  async read(key: string): Promise<number> {
    const [value = NaN] = await this.readAll([key]);
    return value;
  }

  async readAll(
    keys: readonly string[],
    more: { maxTimeMS?: number; batchSize?: number } = {},
  ): Promise<number[]> {
    const found = await this.load.documents
      .find({ _id: { $in: [...keys] } }, { ...this.options, ...more })
      .toArray();
    for (const { _id: key, items, value } of found) this.steps.push({ kind: 'read', key, items, value });
    const valueOf = new Map(found.map(({ _id, value }) => [_id, value]));
    return keys.map((key) => valueOf.get(key) ?? NaN);
  }

  /** Adds `delta` without reading first. */
  async add(key: string, delta: number): Promise<void> {
    await this.append(key, delta, { $inc: { value: delta } });
  }

  /**
   * Writes the sum of the value read and `delta`. Without isolation, this loses any update written in
   * between.
   */
  async write(key: string, read: number, delta: number): Promise<void> {
    await this.append(key, delta, { $set: { value: read + delta } });
  }

  /** Like `write`, but reads and replaces the whole document including its items. */
  async replace(key: string, delta: number): Promise<void> {
    const found = await this.load.documents.findOne({ _id: key }, this.options);
    if (!found) throw new Error(`${key} does not exist`);
    this.steps.push({ kind: 'read', key, items: found.items, value: found.value });
    const item = this.load.nextItem();
    this.steps.push({ kind: 'append', key, item, delta });
    const { value, items } = found;
    await this.load.documents.replaceOne(
      { _id: key },
      { value: value + delta, items: [...items, item] },
      this.options,
    );
  }

  async mark(): Promise<void> {
    this.marked = true;
    await this.load.marks.insertOne({ _id: this.id }, this.options);
  }

  private async append(key: string, delta: number, update: UpdateFilter<KeyDocument>): Promise<void> {
    const item = this.load.nextItem();
    this.steps.push({ kind: 'append', key, item, delta });
    await this.load.documents.updateOne({ _id: key }, { ...update, $push: { items: item } }, this.options);
  }
}

type Work = (attempt: Attempt) => Promise<void>;

/** Clients that run random transactions concurrently, with the history of their reads and writes. */
export class HistoryLoad {
  readonly documents: Collection<KeyDocument>;
  readonly marks: Collection<{ _id: number }>;
  /** Counts of the errors that clients received, by code name. */
  readonly errors = new Map<string, number>();
  private readonly transactions: RecordedTransaction[] = [];
  private readonly sessions = new Set<ClientSession>();
  private items = 0;

  constructor(
    private readonly client: MongoClient,
    private readonly random: () => number,
  ) {
    this.documents = client.db('history').collection<KeyDocument>('keys');
    this.marks = client.db('history').collection<{ _id: number }>('marks');
  }

  get started(): number {
    return this.transactions.length;
  }

  nextItem(): number {
    return ++this.items;
  }

  async prepare(): Promise<void> {
    const documents = Object.entries(initialValues).map(([_id, value]) => ({ _id, value, items: [] }));
    await this.documents.insertMany(documents);
    await this.marks.createIndex({ _id: -1, other: 1 });
  }

  /** Runs transactions with this many clients until `count` have been started. */
  async run(count: number, clients: number): Promise<void> {
    await Promise.all(
      range(clients, async () => {
        while (this.started < count) await this.one();
      }),
    );
  }

  /** Interrupts one of the open transactions by killing its session, as an administrator may. */
  async disturb(): Promise<void> {
    const [session] = this.pick([...this.sessions], 1);
    const lsid = session?.id;
    if (!lsid) return;
    const admin = this.client.db('admin');
    await (this.random() < 0.5 ? admin.command({ killSessions: [lsid] }) : this.killOperation());
  }

  private async killOperation(): Promise<void> {
    const admin = this.client.db('admin');
    const { inprog } = (await admin.command({ currentOp: 1 })) as {
      inprog: { opid?: number; ns?: string }[];
    };
    const [found] = this.pick(
      inprog.filter(({ opid, ns }) => opid !== undefined && ns?.startsWith('history.')),
      1,
    );
    if (found) await admin.command({ killOp: 1, op: found.opid });
  }

  /** The recorded history, with the final state read from the store. */
  async history(): Promise<History> {
    const found = await this.documents.find().toArray();
    const marks = await this.marks.find().toArray();
    return {
      initial: initialValues,
      transactions: this.transactions,
      final: {
        keys: Object.fromEntries(found.map(({ _id, value, items }) => [_id, { value, items }])),
        marks: marks.map(({ _id }) => _id),
      },
      conserved: { prefix: 'account:', sum: ACCOUNTS * START_BALANCE },
    };
  }

  private async one(): Promise<void> {
    const record: RecordedTransaction = {
      id: this.transactions.length + 1,
      purpose: '',
      steps: [],
      outcome: 'unknown',
      begunAt: performance.now(),
      endedAt: Infinity,
      marked: false,
    };
    this.transactions.push(record);
    const plain = this.random() < 0.15;
    record.outcome = await (plain ? this.plain(record) : this.inTransaction(record));
    record.endedAt = performance.now();
  }

  /**
   * A write or read of one document without a transaction. The driver retries it once if the connection is
   * lost.
   */
  private async plain(record: RecordedTransaction): Promise<Outcome> {
    const attempt = new Attempt(record.id, this);
    record.purpose = 'plain';
    record.steps = attempt.steps;
    const [list = ''] = this.pick(keysOf('list:'), 1);
    try {
      await (this.random() < 0.5 ? attempt.add(list, 1) : attempt.read(list));
      return 'committed';
    } catch (error) {
      this.count(error);
      return isDefinite(error) ? 'aborted' : 'unknown';
    }
  }

  private async inTransaction(record: RecordedTransaction): Promise<Outcome> {
    const [purpose, work] = this.chooseWork();
    const session = this.client.startSession();
    const attempt = new Attempt(record.id, this, session);
    Object.assign(record, { purpose, steps: attempt.steps });
    session.startTransaction();
    this.sessions.add(session);
    try {
      await work(attempt);
      if (this.random() < ABORTED_ON_PURPOSE) throw new AbortedOnPurpose();
    } catch (error) {
      this.count(error);
      await session.abortTransaction().catch(() => undefined);
      await session.endSession();
      return 'aborted';
    } finally {
      this.sessions.delete(session);
      record.marked = attempt.marked;
    }
    const outcome = await this.commit(session);
    await session.endSession();
    return outcome;
  }

  /**
   * Half of the clients retry a commit whose outcome is unknown, which is allowed; for the others it stays
   * unknown.
   */
  private async commit(session: ClientSession): Promise<Outcome> {
    const attempts = this.random() < 0.5 ? 1 : COMMIT_ATTEMPTS;
    for (let attempt = 1; attempt <= attempts; attempt++) {
      try {
        await session.commitTransaction();
        return 'committed';
      } catch (error) {
        this.count(error);
        const unknown = error instanceof MongoError && error.hasErrorLabel('UnknownTransactionCommitResult');
        if (!unknown && isDefinite(error)) return 'aborted';
      }
    }
    return 'unknown';
  }

  private chooseWork(): [string, Work] {
    const works: [string, number, Work][] = [
      ['transfer', 5, (attempt) => this.transfer(attempt)],
      ['counter', 3, (attempt) => this.countUp(attempt)],
      ['lists', 3, (attempt) => this.appendToLists(attempt)],
      ['skew', 2, (attempt) => this.switchOff(attempt)],
      ['audit', 3, (attempt) => this.audit(attempt)],
    ];
    let at = this.random() * works.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [purpose, weight, work] of works) if ((at -= weight) < 0) return [purpose, work];
    return ['audit', (attempt) => this.audit(attempt)];
  }

  private async transfer(attempt: Attempt): Promise<void> {
    const [from = '', to = ''] = this.pick(keysOf('account:'), 2);
    const amount = 1 + Math.floor(this.random() * 9);
    await attempt.mark();
    if (this.random() < 0.5) {
      await attempt.add(from, -amount);
      await attempt.add(to, amount);
    } else {
      const [fromValue = NaN, toValue = NaN] = await attempt.readAll([from, to]);
      await attempt.write(from, fromValue, -amount);
      await attempt.write(to, toValue, amount);
    }
  }

  private async countUp(attempt: Attempt): Promise<void> {
    for (const key of this.pick(keysOf('counter:'), 1 + Math.floor(this.random() * 2))) {
      if (this.random() < 0.5) await attempt.replace(key, 1);
      else await attempt.write(key, await attempt.read(key), 1);
    }
  }

  private async appendToLists(attempt: Attempt): Promise<void> {
    const keys = this.pick(keysOf('list:'), 3);
    for (const key of keys) {
      if (this.random() < 0.5) await attempt.read(key);
      if (this.random() < 0.6) await attempt.add(key, 1);
    }
    await attempt.readAll(keys);
    if (this.random() < 0.3) await attempt.mark();
  }

  /**
   * Either side of a pair may be switched off as long as the other is on. Two concurrent transactions that
   * each see the other side on may both switch off: a write skew.
   */
  private async switchOff(attempt: Attempt): Promise<void> {
    const pair = Math.floor(this.random() * PAIRS);
    const sides = this.pick([`pair:${pair}:left`, `pair:${pair}:right`], 2);
    const [mine = NaN, other = NaN] = await attempt.readAll(sides);
    const [key = ''] = sides;
    if (mine === 1 && other === 1) await attempt.write(key, mine, -1);
    else if (mine === 0) await attempt.write(key, mine, 1);
  }

  private async audit(attempt: Attempt): Promise<void> {
    const more = this.random() < 0.1 ? { maxTimeMS: 1 } : { batchSize: 2 };
    await attempt.readAll(Object.keys(initialValues), more);
  }

  private pick<T>(from: readonly T[], count: number): T[] {
    const left = [...from];
    return range(Math.min(count, left.length), () =>
      left.splice(Math.floor(this.random() * left.length), 1),
    ).flat();
  }

  private count(error: unknown): void {
    const name =
      error instanceof MongoServerError
        ? (error.codeName ?? String(error.code))
        : error instanceof Error
          ? error.constructor.name
          : String(error);
    this.errors.set(name, (this.errors.get(name) ?? 0) + 1);
  }
}

/**
 * Whether the server has confirmed that the commit failed. A lost connection and similar errors leave the
 * outcome open.
 */
const isDefinite = (error: unknown): boolean =>
  error instanceof MongoServerError && !error.hasErrorLabel('RetryableWriteError');
