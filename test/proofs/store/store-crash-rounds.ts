import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { seededRandom } from '../../support/random.js';
import { checkStored, findDamage, readStored, type StoreCrashProblem } from './store-crash-check.js';
import { StoreCrashLoad, type StoreLedger } from './store-crash-load.js';
import { StoreProcess } from './store-process.js';

export interface StoreCrashRun {
  rounds: number;
  seed: number;
  /** Path of the built store-child.js. */
  main: string;
  onRound?: (result: StoreCrashRound) => void;
}

export interface StoreCrashRound {
  round: number;
  /** Milliseconds from the start of the load to the kill. */
  killedAfterMs: number;
  committed: number;
  /** Acknowledged inserts and increments. */
  written: number;
  /** Commits whose outcome the client learned only by retrying. */
  askedAgain: number;
  reopenMs: number;
  problems: StoreCrashProblem[];
  refused: ReadonlyMap<string, number>;
}

const EARLIEST_KILL_MS = 30;
const LATEST_KILL_MS = 1_000;
const CONNECT_ATTEMPTS = 50;

const countOf = (ledger: StoreLedger) => ({
  committed: ledger.orderWriters
    .flatMap(({ orders }) => orders)
    .filter(({ outcome }) => outcome === 'committed').length,
  written: [...ledger.inserters, ...ledger.counters].reduce((sum, { acked }) => sum + acked, 0),
});

/** A store that is repeatedly killed under load and reopened in the same directory. */
class StoreCrashRounds {
  private readonly ledgers: StoreLedger[] = [];

  constructor(
    private readonly options: StoreCrashRun,
    private readonly store: StoreProcess,
    private readonly patient: MongoClient,
    private readonly hasty: MongoClient,
  ) {}

  async run(): Promise<StoreCrashRound[]> {
    const random = seededRandom(this.options.seed);
    const db = this.patient.db('crash');
    for (const name of ['orders', 'inserts']) await db.collection(name).createIndex({ writer: 1, seq: 1 });
    await db.collection('lines').createIndexes([{ key: { writer: 1 } }, { key: { tags: 1, line: -1 } }]);
    for (const name of ['totals', 'counters']) await db.createCollection(name);
    const results: StoreCrashRound[] = [];
    for (let round = 1; round <= this.options.rounds; round++) {
      const result = await this.round(
        round,
        EARLIEST_KILL_MS + random() * (LATEST_KILL_MS - EARLIEST_KILL_MS),
      );
      results.push(result);
      this.options.onRound?.(result);
    }
    await this.checkAllAgain(results);
    return results;
  }

  private async round(round: number, killAfterMs: number): Promise<StoreCrashRound> {
    const db = this.patient.db('crash');
    const load = new StoreCrashLoad(this.patient, this.hasty, `r${round}`);
    this.ledgers.push(load.ledger);
    const restart = async (): Promise<void> => {
      await delay(killAfterMs);
      await this.store.kill();
      load.stop();
      await this.store.open();
    };
    await Promise.all([load.run(), restart()]);
    const askedAgain = await load.askAgain();
    const problems = checkStored(load.ledger, await readStored(db, `r${round}`));
    problems.push(...(await findDamage(db)));
    return {
      ...countOf(load.ledger),
      round,
      killedAfterMs: Math.round(killAfterMs),
      askedAgain,
      reopenMs: this.store.openedInMs.at(-1) ?? NaN,
      problems,
      refused: load.ledger.refused,
    };
  }

  /** Data that survived its own round must survive all later rounds. */
  private async checkAllAgain(results: StoreCrashRound[]): Promise<void> {
    const db = this.patient.db('crash');
    for (const [at, ledger] of this.ledgers.entries()) {
      const again = checkStored(ledger, await readStored(db, `r${at + 1}`));
      const known = new Set(results[at]?.problems.map(({ text }) => text));
      results[at]?.problems.push(...again.filter(({ text }) => !known.has(text)));
    }
  }
}

/** On a busy machine the store may not respond within the short timeout of the client. */
async function connectHasty(client: MongoClient): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await client.connect();
      return;
    } catch (error) {
      if (attempt === CONNECT_ATTEMPTS) throw error;
    }
  }
}

/**
 * Runs the requested number of rounds. Each kills the store with SIGKILL at a random moment under load,
 * reopens it and checks that everything acknowledged is stored.
 */
export async function runStoreCrashRounds(options: StoreCrashRun): Promise<StoreCrashRound[]> {
  const dir = await mkdtemp(join(tmpdir(), 'store-crash-'));
  const store = await StoreProcess.start(options.main, dir);
  const patient = new MongoClient(store.uri, { serverSelectionTimeoutMS: 20_000 });
  const hasty = new MongoClient(store.uri, { serverSelectionTimeoutMS: 100, retryWrites: false });
  try {
    await patient.connect();
    await connectHasty(hasty);
    return await new StoreCrashRounds(options, store, patient, hasty).run();
  } finally {
    await Promise.all([patient.close(), hasty.close()]);
    await store.kill();
    await rm(dir, { recursive: true, force: true });
  }
}

export const isCleanRound = ({ problems, refused }: StoreCrashRound): boolean =>
  problems.length === 0 && refused.size === 0;
