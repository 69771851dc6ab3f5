import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiClient, type ApiResponse } from '../../src/cli/index.js';
import { eventually } from '../support/eventually.js';
import { createServiceFolder, type ServiceFolder, type ServiceProcess } from '../support/process.js';

const SIZE_MB = 40;
const BALLAST_BYTES = 12 * 1024 * 1024;
const TEXT = 'x'.repeat(40_000);

const mountPoint = mkdtempSync(join(tmpdir(), 'colloquy-full-'));

/** Whether a small file system could be mounted for this suite, which requires root on Linux. */
const mounted = ((): boolean => {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_MB}m`, 'tmpfs', mountPoint], {
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
})();

afterAll(() => {
  if (mounted) execFileSync('umount', ['-l', mountPoint]);
  rmSync(mountPoint, { recursive: true, force: true });
});

(mounted ? describe : describe.skip)('a service whose disk is full', () => {
  const ballast = join(mountPoint, 'ballast');
  const settings = {
    DATA_DIR: join(mountPoint, 'data'),
    LOG_LEVEL: 'silent',
    HEALTH_DISK_MIN_BYTES: '2000',
    HEALTH_DISK_CRITICAL_BYTES: '1000',
  };
  let folder: ServiceFolder;
  let service: ServiceProcess;
  let tenant: ApiClient;

  beforeAll(async () => {
    writeFileSync(ballast, Buffer.alloc(BALLAST_BYTES, 1));
    folder = await createServiceFolder();
    service = await folder.start(settings);
  });
  afterAll(() => folder.remove());

  const admin = (): ApiClient => new ApiClient(service.url, service.adminKey);
  const say = (participantId: string): Promise<ApiResponse> =>
    tenant.request('POST', '/v1/messages', { participantId, channel: 'web', content: TEXT });
  const transcript = (externalId: string): Promise<ApiResponse> =>
    tenant.request('POST', '/v1/transcripts', {
      externalId,
      participantId: 'ann',
      channel: 'web',
      transcript: TEXT,
    });
  const storedIds = async (): Promise<Set<string>> => {
    const ids = new Set<string>();
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: ApiResponse = await tenant.request(
        'GET',
        `/v1/messages?limit=50${cursor && `&cursor=${cursor}`}`,
      );
      expect(page.status).toBe(200);
      const { data, nextCursor } = page.body as { data: { id: string }[]; nextCursor: string | null };
      for (const { id } of data) ids.add(id);
      cursor = nextCursor;
    }
    return ids;
  };

  it('answers writes with 507, goes on reading, loses nothing, and writes again once there is space', async () => {
    const created = await admin().request('POST', '/v1/tenants', { id: 'full', name: 'Full' });
    tenant = new ApiClient(service.url, (created.body as { apiKey: string }).apiKey);
    const early = await transcript('early');
    expect([early.status, early.body]).toEqual([202, expect.anything()]);

    const acknowledged: string[] = [];
    const fill = async (writer: string): Promise<ApiResponse> => {
      for (let n = 0; ; n++) {
        const answer = await say(`${writer}-${n}`);
        if (answer.status !== 201) return answer;
        acknowledged.push((answer.body as { message: { id: string } }).message.id);
      }
    };
    const refusals = await Promise.all(['a', 'b', 'c', 'd'].map(fill));
    for (const { status, body } of refusals)
      expect([status, body]).toEqual([507, expect.objectContaining({ code: 'insufficient_storage' })]);
    expect(acknowledged.length).toBeGreaterThan(20);

    const writes: [client: ApiClient, method: string, path: string, body?: unknown][] = [
      [tenant, 'POST', '/v1/messages', { participantId: 'eve', channel: 'web', content: TEXT }],
      [tenant, 'PATCH', '/v1/sessions/a-0', { context: { note: TEXT } }],
      [
        tenant,
        'POST',
        '/v1/conversations',
        { participantId: 'eve', channel: 'web', metadata: { note: TEXT.slice(0, 4000) } },
      ],
    ];
    for (const [client, method, path, body] of writes) {
      const { status, body: problem } = await client.request(method, path, body);
      // A small write may still fit into pages that are free.
      if (status >= 300) expect([path, status, problem]).toEqual([path, 507, expect.anything()]);
    }
    const late = await transcript('late');
    expect([202, 507]).toContain(late.status);

    expect([...(await storedIds())]).toEqual(expect.arrayContaining(acknowledged));
    for (const path of [
      '/v1/messages?limit=5',
      '/v1/sessions/a-0',
      '/v1/conversations?limit=5',
      '/v1/tenant',
    ])
      expect([path, (await tenant.request('GET', path)).status]).toEqual([path, 200]);
    expect((await fetch(`${service.url}/health/live`)).status).toBe(200);

    rmSync(ballast);
    expect((await say('after')).status).toBe(201);
    const { status, body } = await transcript('after');
    expect(status).toBe(202);
    const statusOf = async (id: string): Promise<unknown> =>
      ((await tenant.request('GET', `/v1/transcripts/${id}`)).body as { status?: string }).status;
    const accepted = [early.body, body, ...(late.status === 202 ? [late.body] : [])];
    for (const { id } of accepted as { id: string }[])
      await eventually(async () => (await statusOf(id)) === 'stored');

    await service.kill('SIGKILL');
    service = await folder.start(settings);
    tenant = new ApiClient(service.url, (created.body as { apiKey: string }).apiKey);
    expect([...(await storedIds())]).toEqual(expect.arrayContaining(acknowledged));
  });
});
