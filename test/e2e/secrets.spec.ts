import { randomBytes } from 'node:crypto';
import { getConnectionToken } from '@nestjs/mongoose';
import type { Connection } from 'mongoose';
import { ResponderSettingsService } from '../../src/responder/index.js';
import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const secret = 'the-signing-secret-of-acme';
const config = { url: 'https://bot.example.com/reply' };
const newKey = (): string => randomBytes(32).toString('base64');

describe('the signing secret of a responder in the database', () => {
  let database: TestDatabase;
  let app: TestApp | undefined;
  let tenant: TestTenant;

  /** Starts the application again on the same database. */
  const start = async (settings: Record<string, string> = {}): Promise<TestApp> => {
    await app?.close();
    app = undefined;
    app = await createTestApp(settings, { database });
    return app;
  };
  const storedText = async (): Promise<string> => {
    const connection = app?.app.get<Connection>(getConnectionToken());
    const [row] = (await connection?.collection('responders').find({ tenantId: 'acme' }).toArray()) ?? [];
    return JSON.stringify(row);
  };
  const secretInUse = async (): Promise<unknown> => {
    const active = await app?.app.get(ResponderSettingsService).activeFor('acme');
    return (active?.config as { secret?: string }).secret;
  };
  const put = (settings: object): Promise<{ status: number }> =>
    tenant.request('PUT', '/v1/responder', { type: 'http', config: settings });

  beforeEach(async () => {
    database = createTestDatabase();
  });
  afterEach(async () => {
    await app?.close();
    app = undefined;
    await database.drop();
  });

  it('is encrypted when SECRETS_KEY is set, and can be used as before', async () => {
    tenant = await (await start({ SECRETS_KEY: newKey() })).createTenant('acme');
    expect((await put({ ...config, secret })).status).toBe(200);
    expect(await storedText()).not.toContain(secret);
    expect(await secretInUse()).toBe(secret);
    // An update that omits the secret keeps it.
    expect((await put({ url: 'https://bot.example.com/v2' })).status).toBe(200);
    expect(await secretInUse()).toBe(secret);
    const { body } = await tenant.request('GET', '/v1/responder');
    expect(body).toMatchObject({
      config: { url: 'https://bot.example.com/v2' },
      secretHints: { secret: '…acme' },
    });
    expect(JSON.stringify(body)).not.toMatch(/sealed/);
  });

  it('is encrypted at the next start if it was stored before SECRETS_KEY was set, and when keys are rotated', async () => {
    tenant = await (await start()).createTenant('acme');
    await put({ ...config, secret });
    expect(await storedText()).toContain(secret);
    const [old, current] = [newKey(), newKey()];
    await start({ SECRETS_KEY: old });
    const first = await storedText();
    expect([await secretInUse(), first.includes(secret)]).toEqual([secret, false]);
    await start({ SECRETS_KEY: `${current},${old}` });
    expect([await secretInUse(), (await storedText()) === first]).toEqual([secret, false]);
    await start({ SECRETS_KEY: current });
    expect(await secretInUse()).toBe(secret);
  });

  it.each([
    ['another key', newKey()],
    ['no key', undefined],
  ])('makes a start with %s fail with a message that says what to do', async (_name, other) => {
    tenant = await (await start({ SECRETS_KEY: newKey() })).createTenant('acme');
    await put({ ...config, secret });
    await expect(start(other === undefined ? {} : { SECRETS_KEY: other })).rejects.toThrow(
      /encrypted with the key "[0-9a-f]{12}", which is not in SECRETS_KEY\. Add that key/,
    );
  });
});
