import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { MongoClient } from 'mongodb';
import { indexes, type Message, writeMessages } from './million-messages.js';
import { noTimes, PAGE, type PageTarget, type PageTimes, readByGetMore, readPages } from './million-pages.js';
import { StoreProcess } from './store-process.js';

/** In MiB; undefined where the operating system does not report it. */
export type Memory = { own: number; mapped: number } | undefined;

export interface MillionRun {
  small: number;
  large: number;
  repetitions: number;
  /** Paths of the built store-child.js and million-scanner.js. */
  main: string;
  scanner: string;
  say: (text: string) => void;
}

export interface MillionResult {
  latePages: { small: number; large: number };
  small: PageTimes;
  large: PageTimes;
  memory: { when: string; memory: Memory }[];
  scan: {
    documents: number;
    ms: number;
    /** Durations of the findOne calls by _id that another client makes during the scan, ms. */
    waits: number[];
  };
}

/** How many batches are timed each time a cursor is iterated. */
const BATCHES_TIMED = 20;

interface Filled extends PageTarget {
  store: StoreProcess;
  client: MongoClient;
  close(): Promise<void>;
}

/**
 * Compares pages of few messages with pages of many, each in its own store, and measures memory use and
 * fairness during a scan of the many.
 */
export async function runMillion(options: MillionRun): Promise<MillionResult> {
  const memory: MillionResult['memory'] = [];
  const small = await fill(options, options.small, []);
  try {
    const large = await fill(options, options.large, memory);
    try {
      const times = await comparePages(small, large, options.repetitions);
      memory.push({ when: 'after the pages', memory: await large.store.memory() });
      const scan = await scanAll(options, large, memory);
      memory.push({ when: 'after the scan', memory: await large.store.memory() });
      return { latePages: { small: small.latePage, large: large.latePage }, ...times, memory, scan };
    } finally {
      await large.close();
    }
  } finally {
    await small.close();
  }
}

async function fill(options: MillionRun, count: number, memory: MillionResult['memory']): Promise<Filled> {
  const dir = await mkdtemp(join(tmpdir(), 'store-million-'));
  const store = await StoreProcess.start(options.main, dir);
  const client = await MongoClient.connect(store.uri);
  const messages = client.db('million').collection<Message>('messages');
  await messages.createIndexes([...indexes]);
  memory.push({ when: 'empty', memory: await store.memory() });
  const begun = performance.now();
  const [{ longest, length }, most] = await whileWatching(store, () => writeMessages(messages, count));
  const seconds = (performance.now() - begun) / 1000;
  options.say(`wrote ${count} messages in ${seconds.toFixed(1)} s, ${Math.round(count / seconds)}/s\n`);
  memory.push(
    { when: 'most while writing', memory: most },
    { when: 'after writing', memory: await store.memory() },
  );
  return {
    store,
    client,
    messages,
    conversation: longest,
    latePage: Math.min(1_000, Math.floor(length / PAGE)),
    async close() {
      await client.close();
      await store.kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Alternates between the two stores, so that other load on the machine affects both equally. */
async function comparePages(small: Filled, large: Filled, repetitions: number) {
  const times = { small: noTimes(), large: noTimes() };
  const warmUp = noTimes();
  for (let turn = -repetitions / 4; turn < repetitions; turn++) {
    await readPages(small, turn < 0 ? warmUp : times.small);
    await readPages(large, turn < 0 ? warmUp : times.large);
  }
  for (let turn = 0; turn < repetitions / BATCHES_TIMED; turn++) {
    await readByGetMore(small, times.small, BATCHES_TIMED);
    await readByGetMore(large, times.large, BATCHES_TIMED);
  }
  return times;
}

async function scanAll(
  { scanner }: MillionRun,
  { store, messages }: Filled,
  memory: MillionResult['memory'],
): Promise<MillionResult['scan']> {
  const some = (await messages.find().limit(100).toArray()).map(({ _id }) => _id);
  const waits: number[] = [];
  const worker = new Worker(scanner, { workerData: { uri: store.uri } });
  let ended = false;
  const scanned = new Promise<{ documents: number; ms: number }>((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
  }).finally(() => (ended = true));
  const probe = async (): Promise<void> => {
    for (let at = 0; !ended; at++) {
      const begun = performance.now();
      await messages.findOne({ _id: some[at % some.length] });
      waits.push(performance.now() - begun);
      await delay(1);
    }
  };
  const [[scan], most] = await whileWatching(store, () => Promise.all([scanned, probe()]));
  memory.push({ when: 'peak during the scan', memory: most });
  return { ...scan, waits };
}

/** The result of the work, and the peak memory of the store during it. */
async function whileWatching<T>(store: StoreProcess, work: () => Promise<T>): Promise<[T, Memory]> {
  let most: Memory;
  let ended = false;
  const watch = async (): Promise<void> => {
    while (!ended) {
      const now = await store.memory();
      if (now)
        most = { own: Math.max(now.own, most?.own ?? 0), mapped: Math.max(now.mapped, most?.mapped ?? 0) };
      await delay(100);
    }
  };
  const watching = watch();
  try {
    return [await work(), most];
  } finally {
    ended = true;
    await watching;
  }
}
