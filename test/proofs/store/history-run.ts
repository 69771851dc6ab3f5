import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { seededRandom } from '../../support/random.js';
import { checkHistory } from './check-history.js';
import type { HistoryFindings } from './history.js';
import { HistoryLoad } from './history-load.js';
import { validateAll } from './validate-all.js';
import { StoreProcess } from './store-process.js';

export interface HistoryRun {
  transactions: number;
  kills: number;
  clients: number;
  seed: number;
  /** Path of the built store-child.js. */
  main: string;
}

export interface HistoryResult extends HistoryFindings {
  /** The errors that `validate` reported for documents and indexes. */
  damage: readonly string[];
  errors: ReadonlyMap<string, number>;
  /** How long each start of the store took, ms. The first entry is the creation of the store. */
  openedInMs: readonly number[];
  /** The standard error output of the store process. */
  stderr: string;
}

const DISTURB_EVERY_MS = 40;

/**
 * Runs random transactions against a store that is killed and restarted meanwhile, then checks their history.
 */
export async function runHistory({
  transactions,
  kills,
  clients,
  seed,
  main,
}: HistoryRun): Promise<HistoryResult> {
  const dir = await mkdtemp(join(tmpdir(), 'store-history-'));
  const random = seededRandom(seed);
  const store = await StoreProcess.start(main, dir);
  const client = await MongoClient.connect(store.uri, { serverSelectionTimeoutMS: 2_000, maxPoolSize: 100 });
  let stderr = '';
  try {
    const load = new HistoryLoad(client, random);
    await load.prepare();
    const ended = new AbortController();
    const kill = async (): Promise<void> => {
      for (let nth = 1; nth <= kills; nth++) {
        const at = ((nth - random() * 0.9) * transactions) / kills;
        while (load.started < at && !ended.signal.aborted) await delay(1);
        await delay(random() * 10);
        await store.kill();
        stderr += store.stderr;
        await store.open();
      }
    };
    const disturb = async (): Promise<void> => {
      while (!ended.signal.aborted) {
        await delay(random() * 2 * DISTURB_EVERY_MS);
        await load.disturb().catch(() => undefined);
      }
    };
    const work = load.run(transactions, clients).finally(() => ended.abort());
    await Promise.all([work, kill(), disturb()]);
    const findings = checkHistory(await load.history());
    const damage = await validateAll(client.db('history'));
    return {
      ...findings,
      damage,
      errors: load.errors,
      openedInMs: store.openedInMs,
      stderr: stderr + store.stderr,
    };
  } finally {
    await client.close();
    await store.kill();
    await rm(dir, { recursive: true, force: true });
  }
}
