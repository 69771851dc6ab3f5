import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { ARCHIVE_STORE, ArchiveFileMissingError, type ArchiveStore } from '../../src/archive/index.js';
import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { describeWithS3, type S3Server, startS3 } from '../support/s3-server.js';

const bucket = 'archives';

describeWithS3('archives in S3', () => {
  let server: S3Server;
  let app: TestApp;
  let tenant: TestTenant;
  let store: ArchiveStore;

  beforeAll(async () => {
    server = await startS3();
    const { endpoint, ...credentials } = server;
    const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    client.destroy();
    app = await createTestApp(
      {
        ARCHIVE_SCHEDULE: 'off',
        ARCHIVE_S3_BUCKET: bucket,
        ARCHIVE_S3_ENDPOINT: endpoint,
        ARCHIVE_S3_ACCESS_KEY_ID: server.accessKeyId,
        ARCHIVE_S3_SECRET_ACCESS_KEY: server.secretAccessKey,
      },
      { workers: true },
    );
    store = app.app.get<ArchiveStore>(ARCHIVE_STORE);
  });
  beforeEach(async () => {
    tenant = await app.createTenant();
  });
  afterAll(async () => {
    await app.close();
    await server.stop();
  });

  const files = async (prefix = ''): Promise<string[]> => {
    const names: string[] = [];
    for await (const name of store.list(prefix)) names.push(name);
    return names;
  };

  async function finish<Result>(path: string, body: object): Promise<Result> {
    const started = await app.request<{ jobId: string; queue: string }>('POST', path, body);
    const { jobId, queue } = started.body;
    let job: { state: string; result: Result; error: unknown } | undefined;
    await eventually(async () => {
      ({ body: job } = await app.request<{ state: string; result: Result; error: unknown }>(
        'GET',
        `/v1/queues/${queue}/jobs/${jobId}`,
      ));
      return ['completed', 'failed', 'delayed'].includes(job.state);
    });
    expect(job).toMatchObject({ state: 'completed', error: null });
    return job?.result as Result;
  }

  it('are written, restored, and deleted with the tenant', async () => {
    const { body } = await tenant.request<{ id: string }>('POST', '/v1/conversations', {
      participantId: 'ana',
      channel: 'web',
    });
    const messages = Array.from({ length: 50 }, (_, at) => ({ role: 'user', content: `Message ${at}` }));
    await tenant.request('POST', `/v1/conversations/${body.id}/messages`, { messages });
    const path = `/v1/conversations/${body.id}/messages?limit=100`;
    const before = (await tenant.request('GET', path)).body;
    const scope = { tenantId: tenant.tenantId, kind: 'conversations', olderThanDays: 0 };
    await finish('/v1/archives/run', scope);
    expect((await tenant.request('GET', path)).status).toBe(404);
    const { body: listed } = await app.request<{ data: { id: string; count: number }[] }>(
      'GET',
      `/v1/archives?tenantId=${tenant.tenantId}`,
    );
    expect(listed.data).toMatchObject([{ count: 1 }]);
    const id = String(listed.data[0]?.id);
    expect((await files(`${id}/`)).map((name) => name.split('/').at(-1))).toEqual([
      'manifest.json',
      'rows.ndjson.gz',
    ]);
    await finish(`/v1/archives/${id}/restore`, {});
    expect((await tenant.request('GET', path)).body).toEqual(before);
    await app.request('DELETE', `/v1/tenants/${tenant.tenantId}`);
    await eventually(async () => (await files(`${id}/`)).length === 0);
  });

  it('may be larger than one part of an upload', async () => {
    const block = Buffer.alloc(1024 * 1024, 'x');
    const content = (async function* () {
      for (let at = 0; at < 20; at++) yield block;
    })();
    await store.write('large/file', content);
    let bytes = 0;
    for await (const chunk of store.read('large/file')) bytes += chunk.byteLength;
    expect(bytes).toBe(20 * block.length);
    await store.delete('large/file');
    await store.delete('large/file');
    expect(await files('large/')).toEqual([]);
  });

  it('do not exist after an upload that failed', async () => {
    const content = (async function* () {
      yield Buffer.alloc(9 * 1024 * 1024);
      throw new Error('no more');
    })();
    await expect(store.write('broken/file', content)).rejects.toThrow('no more');
    expect(await files('broken/')).toEqual([]);
    const reading = (async () => {
      for await (const chunk of store.read('broken/file')) expect(chunk).toBeUndefined();
    })();
    await expect(reading).rejects.toBeInstanceOf(ArchiveFileMissingError);
  });
});
