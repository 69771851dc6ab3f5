import { once } from 'node:events';
import { Types } from 'mongoose';
import { EMBEDDER, type Embedder } from '../../src/search/index.js';
import { allFeatures, type TenantIdentity } from '../../src/tenant/index.js';
import { TranscriptService, TranscriptStore, TranscriptWorker } from '../../src/transcript/index.js';
import { createTestApp, type TestApp } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';

/** Embeds immediately, or when the test releases it, and records its input. */
class HeldEmbedder extends EventTarget implements Embedder {
  readonly model = 'held';
  readonly dimensions = 2;
  readonly batches: (readonly string[])[] = [];
  private gate: { opened: Promise<void>; open: () => void } | undefined;

  hold(): void {
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    this.gate = { opened, open };
  }

  letGo(): void {
    this.gate?.open();
    this.gate = undefined;
  }

  /** Resolves when it has received a batch. */
  async given(): Promise<void> {
    if (this.batches.length === 0) await once(this, 'given');
  }

  async embed(texts: readonly string[]): Promise<Float32Array[]> {
    this.batches.push(texts);
    this.dispatchEvent(new Event('given'));
    await this.gate?.opened;
    return texts.map(() => Float32Array.of(1, 0));
  }
}

const OVER = new Date(1);

describe('TranscriptWorker', () => {
  let database: TestDatabase;
  let apps: TestApp[];
  let serial = 0;
  let tenant: TenantIdentity;

  const start = async (embedder: Embedder, overrides = {}): Promise<TestApp> => {
    const app = await createTestApp(
      { TRANSCRIPT_BATCH_TIMEOUT_MS: '20', ...overrides },
      { database, replace: [[EMBEDDER, embedder]] },
    );
    apps.push(app);
    return app;
  };
  const rows = () => database.collection('transcripts');
  const accept = async (
    { app }: TestApp,
    transcript: string,
    { of = tenant, givenId }: { of?: TenantIdentity; givenId?: string } = {},
  ): Promise<string> => {
    const body = { participantId: 'ana', channel: 'web', transcript, metadata: {} };
    return (await app.get(TranscriptService).enqueue(of, body, givenId)).id;
  };
  const statusOf = async ({ app }: TestApp, id: string): Promise<string> =>
    (await app.get(TranscriptService).get(tenant.tenantId, id)).status;
  const isStored = (app: TestApp, id: string): Promise<void> =>
    eventually(async () => (await statusOf(app, id)) === 'stored');
  const counter = () => database.collection('transcript_counters').findOne({ tenantId: tenant.tenantId });
  /** Removes the data of the previous test. */
  const newTenant = (): TenantIdentity => {
    const tenantId = `tenant-${++serial}`;
    return { tenantId, name: tenantId, plan: 'free', features: allFeatures };
  };

  beforeAll(() => {
    database = createTestDatabase();
  });
  beforeEach(() => {
    apps = [];
    tenant = newTenant();
  });
  afterEach(async () => {
    await Promise.all(apps.map((app) => app.close()));
    await rows().deleteMany({});
  });
  afterAll(() => database.drop());

  it('stores the transcripts claimed by a dead process once the lease has expired, after which that process can no longer write them', async () => {
    const [slow, quick] = [new HeldEmbedder(), new HeldEmbedder()];
    const first = await start(slow, { TRANSCRIPT_MAX_CONCURRENT_BATCHES: '1' });
    slow.hold();
    const id = await accept(first, 'claimed by the first');
    await slow.given();
    expect(await statusOf(first, id)).toBe('processing');

    const second = await start(quick);
    // As if the first process had been killed and its lease had expired.
    await rows().updateOne({ _id: new Types.ObjectId(id) }, { $set: { claimedUntil: OVER, claim: 'ended' } });
    await isStored(second, id);
    const stored = await rows().findOne({});
    expect(quick.batches).toEqual([['claimed by the first']]);

    const after = await accept(first, 'accepted later');
    slow.letGo();
    await isStored(first, after);
    await eventually(() => Promise.resolve(first.app.get(TranscriptWorker).stats().batches > 0));
    expect(await rows().findOne({ _id: new Types.ObjectId(id) })).toEqual(stored);
    expect(await counter()).toMatchObject({ stored: 2, batches: 2, batched: 2, dead: 0 });
  });

  it('leaves no queue fields in stored transcripts', async () => {
    const app = await start(new HeldEmbedder());
    await isStored(app, await accept(app, 'a text', { givenId: new Types.ObjectId().toHexString() }));
    expect(Object.keys((await rows().findOne({})) ?? {}).toSorted()).toEqual(
      [
        ...['_id', 'changeSeq', 'channel', 'createdAt', 'metadata', 'model', 'participantId'],
        ...['status', 'storedAt', 'tenantId', 'transcript', 'vector'],
      ].toSorted(),
    );
  });

  it('releases a batch at shutdown, so that another process can claim it without waiting for the lease', async () => {
    const slow = new HeldEmbedder();
    const first = await start(slow, { SHUTDOWN_GRACE_MS: '1000' });
    slow.hold();
    const id = await accept(first, 'handed back');
    await slow.given();
    await first.app.close();
    expect(await rows().findOne({})).toMatchObject({
      status: 'queued',
      claimedUntil: new Date(0),
      attempts: 0,
    });
    slow.letGo();
    const second = await start(new HeldEmbedder());
    await isStored(second, id);
    expect(await counter()).toMatchObject({ stored: 1, batches: 1 });
  });

  it('finishes the current batch at shutdown if there is time', async () => {
    const embedder = new HeldEmbedder();
    const app = await start(embedder, { SHUTDOWN_GRACE_MS: '60000' });
    embedder.hold();
    await accept(app, 'finished');
    await embedder.given();
    const closed = app.app.close();
    embedder.letGo();
    await closed;
    expect(await rows().findOne({})).toMatchObject({ status: 'stored' });
  });

  it('stores each transcript once when many processes accept and claim concurrently', async () => {
    const embedders = [new HeldEmbedder(), new HeldEmbedder(), new HeldEmbedder()];
    const all = await Promise.all(embedders.map((embedder) => start(embedder)));
    const ids = await Promise.all(
      Array.from({ length: 150 }, (_, n) => accept(all[n % all.length] ?? fail(), `text ${n}`)),
    );
    for (const id of ids) await isStored(all[0] ?? fail(), id);
    const embedded = embedders.flatMap(({ batches }) => batches.flat());
    expect(embedded.toSorted()).toEqual(Array.from({ length: 150 }, (_, n) => `text ${n}`).toSorted());
    expect(await counter()).toMatchObject({ stored: 150, batched: 150, dead: 0 });
  });

  it('does not make a tenant wait for all transcripts of another one', async () => {
    const [busy, calm] = [newTenant(), newTenant()];
    const api = await start(new HeldEmbedder(), { WORKERS: 'off' });
    for (let n = 0; n < 20; n++) await accept(api, `busy ${n}`, { of: busy });
    for (let n = 0; n < 2; n++) await accept(api, `calm ${n}`, { of: calm });
    const embedder = new HeldEmbedder();
    await start(embedder, {
      TRANSCRIPT_BATCH_SIZE: '5',
      TRANSCRIPT_MAX_BATCH_SIZE: '5',
      TRANSCRIPT_MAX_CONCURRENT_BATCHES: '1',
    });
    await embedder.given();
    expect(embedder.batches[0]?.toSorted()).toEqual(['busy 0', 'busy 1', 'busy 2', 'calm 0', 'calm 1']);
  });

  it('does not restore a transcript deleted while it is being processed', async () => {
    const embedder = new HeldEmbedder();
    const app = await start(embedder);
    embedder.hold();
    const id = await accept(app, 'deleted in the middle');
    await embedder.given();
    await app.app.get(TranscriptService).delete(tenant.tenantId, id);
    embedder.letGo();
    await isStored(app, await accept(app, 'the last'));
    expect(await rows().countDocuments({})).toBe(1);
    expect(await counter()).toMatchObject({ stored: 1, batched: 1 });
  });

  it('discards a transcript with a given id that was accepted again while it was being deleted', async () => {
    const app = await start(new HeldEmbedder(), { WORKERS: 'off' });
    const { tenantId } = tenant;
    const id = await accept(app, 'a secret', { givenId: new Types.ObjectId().toHexString() });
    const again = await rows().findOne({});
    await app.app.get(TranscriptStore).delete(tenantId, id);
    // The request had checked for the tombstone before it was written.
    if (again) await rows().insertOne(again);
    const worker = await start(new HeldEmbedder());
    await eventually(async () => (await rows().countDocuments({})) === 0);
    await isStored(worker, await accept(worker, 'the last'));
    expect(await counter()).toMatchObject({ stored: 1, batched: 1 });
  });
});

const fail = (): never => {
  throw new Error('no such process');
};
