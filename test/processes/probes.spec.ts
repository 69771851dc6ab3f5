import { ApiClient, type ApiResponse } from '../../src/cli/index.js';
import { eventually } from '../support/eventually.js';
import { createServiceFolder, type ServiceFolder } from '../support/process.js';

const checksOf = ({ body }: ApiResponse): object[] =>
  Object.values((body as { checks: Record<string, object> }).checks);

describe('the probes of a service process', () => {
  let folder: ServiceFolder;

  afterEach(() => folder.remove());

  it('report that it is not ready before it stops accepting connections', async () => {
    folder = await createServiceFolder();
    const service = await folder.start({ SHUTDOWN_DRAIN_MS: '5000', SHUTDOWN_GRACE_MS: '20000' });
    const anonymous = new ApiClient(service.url, undefined);
    const ready = (): Promise<ApiResponse> =>
      anonymous.request('GET', '/health/ready', undefined, { connection: 'close' });
    expect(await ready()).toMatchObject({ status: 200 });
    const stopped = service.kill('SIGTERM');
    await eventually(async () => (await ready()).status === 503);
    expect(await anonymous.request('GET', '/health/live')).toMatchObject({ status: 200 });
    expect(await new ApiClient(service.url, service.adminKey).request('GET', '/v1/tenants')).toMatchObject({
      status: 200,
    });
    expect(await stopped).toEqual({ code: 0, signal: null });
  });

  it('are served by a worker with the metrics and nothing else, with details for operators only', async () => {
    folder = await createServiceFolder('worker.js');
    const key = 'admin_of_this_worker';
    const worker = await folder.start({ ADMIN_API_KEY: key });
    for (const probe of ['live', 'ready', 'startup']) {
      const path = `/health/${probe}`;
      const open = await new ApiClient(worker.url, undefined).request('GET', path);
      expect(open).toMatchObject({ status: 200, body: { status: 'ok' } });
      for (const check of checksOf(open)) expect(Object.keys(check)).toEqual(['status']);
      const detailed = checksOf(await new ApiClient(worker.url, key).request('GET', path));
      expect(detailed.length).toBeGreaterThan(0);
      for (const check of detailed) expect(check).toHaveProperty('durationMs');
    }
    const snapshot = (key?: string): Promise<ApiResponse> =>
      new ApiClient(worker.url, key).request('GET', '/v1/monitoring');
    for (const other of [undefined, 'another_admin_key'])
      expect(await snapshot(other)).toMatchObject({ status: 401 });
    expect(await snapshot(key)).toMatchObject({
      status: 200,
      body: {
        service: { instance: expect.stringMatching(new RegExp(`:${String(worker.pid)}$`)) as unknown },
      },
    });
    for (const path of ['/', '/v1/tenants', '/docs', '/admin/login', '/health/other'])
      expect(await new ApiClient(worker.url, key).request('GET', path)).toMatchObject({
        status: 404,
        body: { code: 'route_not_found' },
      });
    const metrics = await new ApiClient(worker.url, undefined).request('GET', '/metrics');
    expect(metrics).toMatchObject({ status: 200, body: expect.stringContaining('colloquy_') });
    expect(await worker.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  });
});
