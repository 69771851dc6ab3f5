import { createTestApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';

describe('the quota of a plan', () => {
  let test: TestApp;

  beforeAll(async () => {
    test = await createTestApp({ QUOTA_DOCUMENTS: 'free=20', QUOTA_STORAGE_BYTES: 'pro=1000000000' });
  });
  afterAll(() => test.close());

  const message = { participantId: 'ana', channel: 'web', content: 'hello' };

  it('refuses writes once it is used up, not reads, searches, deletions or other tenants', async () => {
    const tenant = await test.createTenant();
    const other = await test.createTenant();
    const send = async (): Promise<number> => (await tenant.request('POST', '/v1/messages', message)).status;
    await eventually(async () => (await send()) === 507);
    expect(await tenant.request('POST', '/v1/messages', message)).toMatchObject({
      status: 507,
      body: { code: 'quota_exceeded', detail: expect.stringContaining('allows 20 documents') as string },
    });
    // The key and the quota are checked before the body is read.
    expect(await tenant.request('PATCH', '/v1/sessions/ana', { context: 1 })).toMatchObject({ status: 507 });
    const { body } = await tenant.request<{ data: { id: string }[] }>('GET', '/v1/conversations');
    expect(body.data).toHaveLength(1);
    expect(await tenant.request('POST', '/v1/transcripts/search', { query: 'hello' })).toMatchObject({
      status: 200,
    });
    expect(await other.request('POST', '/v1/messages', message)).toMatchObject({ status: 201 });

    const path = `/v1/tenants/${tenant.tenantId}/usage`;
    const usage = await test.request<{ documents: number }>('GET', path);
    expect(usage).toMatchObject({ status: 200, body: { limits: { bytes: null, documents: 20 } } });
    expect(usage.body.documents).toBeGreaterThanOrEqual(20);

    expect(await tenant.request('DELETE', `/v1/conversations/${body.data[0]?.id ?? ''}`)).toMatchObject({
      status: 204,
    });
  });

  it('is that of the current plan', async () => {
    const tenant = await test.createTenant();
    const send = async (): Promise<number> => (await tenant.request('POST', '/v1/messages', message)).status;
    await eventually(async () => (await send()) === 507);
    await test.request('PATCH', `/v1/tenants/${tenant.tenantId}`, { plan: 'pro' });
    await eventually(async () => (await send()) !== 507);
    expect(await send()).toBe(201);
  });
});
