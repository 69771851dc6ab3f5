import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient, type MongoClientOptions, MongoServerError } from 'mongodb';
import { EmbeddedMongo, type EmbeddedMongoOptions } from '../src/index.js';

/** A store in a new directory, with a client. */
export interface TestStore {
  dir: string;
  store: EmbeddedMongo;
  client: MongoClient;
  /** Opens another client, which is closed together with the store. */
  connect(options?: MongoClientOptions): Promise<MongoClient>;
  /** Closes and reopens the store, with a new `client`. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

const clientOptions: MongoClientOptions = { serverSelectionTimeoutMS: 5_000 };

export async function openTestStore(options: Partial<EmbeddedMongoOptions> = {}): Promise<TestStore> {
  const dir = await mkdtemp(join(tmpdir(), 'embedded-mongo-'));
  const clients: MongoClient[] = [];
  const open = (): Promise<EmbeddedMongo> => EmbeddedMongo.open({ dir, inProcess: true, ...options });
  const test: TestStore = {
    dir,
    store: await open(),
    client: undefined as unknown as MongoClient,
    async connect(more = {}) {
      const client = await MongoClient.connect(test.store.uri, { ...clientOptions, ...more });
      clients.push(client);
      return client;
    },
    async reopen() {
      await Promise.all(clients.splice(0).map((client) => client.close()));
      await test.store.close();
      test.store = await open();
      test.client = await test.connect();
    },
    async close() {
      await Promise.all(clients.map((client) => client.close()));
      await test.store.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
  test.client = await test.connect();
  return test;
}

/** Returns the error with which the server rejects `work`. @throws if the server accepts it */
export async function serverError(work: Promise<unknown>): Promise<MongoServerError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof MongoServerError) return error;
  throw new Error(`expected a MongoServerError, got ${String(error)}`);
}
