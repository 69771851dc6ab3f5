import { mongo } from 'mongoose';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ApiClient, asCreated, asTenantKey } from '../../src/cli/index.js';
import { indexByTenant } from '../../src/queue/job.schema.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { type FakeSentry, startFakeSentry } from '../support/fake-sentry.js';
import {
  builtEntry,
  createServiceFolder,
  type ServiceFolder,
  type ServiceProcess,
} from '../support/process.js';

const ADMIN_API_KEY = 'the-key-of-the-operator';
const preload = (path: string): string[] => ['--import', pathToFileURL(path).href];
const instrument = preload(builtEntry('instrument.js'));
const failOnSignal = preload(resolve('test', 'support', 'fail-on-signal.mjs'));

/**
 * Secrets that these tests put into requests, documents and errors. They must not appear in a report or a
 * log.
 */
const secrets = /what Ann wrote|the-query-1|the-cookie-1|the-password-1|the-key-of-the-operator/;

interface LogLine extends Record<string, unknown> {
  level: string;
  msg: string;
}

const logOf = ({ stdout }: ServiceProcess): LogLine[] =>
  stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as LogLine);

let sentry: FakeSentry;
let database: TestDatabase;
let folder: ServiceFolder;

const settings = (): Record<string, string> => ({
  MONGODB_URI: database.uri,
  MONGODB_MIN_POOL_SIZE: '0',
  SENTRY_DSN: sentry.dsn,
  SENTRY_ENVIRONMENT: 'rehearsal',
  SENTRY_RELEASE: 'colloquy@test',
  ADMIN_API_KEY,
  LOG_LEVEL: 'debug',
});

beforeEach(async () => {
  sentry = await startFakeSentry();
  database = createTestDatabase();
});
afterEach(async () => {
  await folder.remove();
  await database.drop();
  await sentry.close();
});

describe('request errors', () => {
  beforeEach(async () => {
    folder = await createServiceFolder();
  });

  it('reports a 500 once and without secrets, and reports neither a 404 nor a 400', async () => {
    const service = await folder.start(settings(), instrument);
    const admin = new ApiClient(service.url, ADMIN_API_KEY);
    const key = await admin.call('POST', '/v1/tenants', asTenantKey, { id: 'acme', name: 'Acme' });
    const api = new ApiClient(service.url, key);
    const conversation = { participantId: 'ann', channel: 'web' };
    const { id } = await api.call('POST', '/v1/conversations', asCreated, conversation);
    // A unique index unknown to the program. Its errors quote the document.
    await database
      .collection('messages')
      .createIndex({ tenantId: 1, content: 1 }, { unique: true, name: 'by_mistake' });
    const path = `/v1/conversations/${id}/messages?note=the-query-1`;
    const body = { messages: [{ role: 'user', content: 'what Ann wrote' }] };
    const headers = { 'x-request-id': key, cookie: 'colloquy=the-cookie-1' };
    expect(await api.request('POST', path, body)).toMatchObject({ status: 201 });

    expect(await api.request('GET', '/v1/nothing/here')).toMatchObject({ status: 404 });
    expect(await api.request('GET', '/v1/sessions/nobody?note=the-query-1')).toMatchObject({ status: 404 });
    expect(await api.request('POST', path, { messages: 'none' })).toMatchObject({ status: 400 });
    const answer = await api.request('POST', path, body, headers);

    expect(answer).toMatchObject({ status: 500, body: { code: 'internal_error' } });
    const { errorId } = answer.body as { errorId: string };
    await sentry.arrived(1);
    expect(await service.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(sentry.itemTypes).toEqual(['event']);
    expect(sentry.events).toEqual([
      expect.objectContaining({
        event_id: errorId,
        level: 'error',
        release: 'colloquy@test',
        environment: 'rehearsal',
        tags: expect.objectContaining({
          route: '/v1/conversations/:id/messages',
          method: 'POST',
          status: 500,
          tenantId: 'acme',
          requestId: expect.stringMatching(/^ck_[0-9a-f]{16}_\[redacted\]$/) as string,
        }) as unknown,
      }),
    ]);
    const [exception] = sentry.events[0]?.exception?.values ?? [];
    expect(exception?.type).toBe('DuplicateKeyError');
    expect(exception?.value).toContain('by_mistake');
    expect(exception?.stacktrace?.frames.length).toBeGreaterThan(3);
    expect(sentry.received).not.toMatch(secrets);
    expect(sentry.received).not.toContain(key);

    const log = logOf(service);
    const [failure] = log.filter(({ level }) => level === 'error');
    expect(failure).toMatchObject({ errorId, tenantId: 'acme', msg: 'request failed' });
    const requests = log.filter(({ msg, tenantId }) => msg === 'request' && tenantId === 'acme');
    expect(requests.map(({ status }) => status).sort()).toEqual([201, 201, 400, 404, 500]);
    expect(log.filter(({ msg }) => msg === 'request')).not.toContainEqual(
      expect.not.objectContaining({ requestId: expect.any(String) as string }),
    );
    expect(service.stdout + service.stderr).not.toMatch(secrets);
    expect(service.stdout + service.stderr).not.toContain(key);
  });

  it('returns an errorId of the same form and loads no SDK without a DSN', async () => {
    const service = await folder.start({ ...settings(), SENTRY_DSN: '' }, instrument);
    const admin = new ApiClient(service.url, ADMIN_API_KEY);
    await admin.call('POST', '/v1/tenants', asTenantKey, { id: 'acme', name: 'Acme' });
    await database.collection('tenants').updateOne({}, { $unset: { createdAt: 1 } });
    const answer = await admin.request('GET', '/v1/tenants/acme');
    expect(answer).toMatchObject({ status: 500 });
    expect((answer.body as { errorId: string }).errorId).toMatch(/^[0-9a-f]{32}$/);
    expect(await service.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(sentry.received).toBe('');
  });
});

describe('failed jobs', () => {
  it('are reported once by the worker, with the queue and id of the job but without its payload', async () => {
    folder = await createServiceFolder('worker.js');
    // The worker reads waiting jobs through this index only.
    await database.collection('jobs').createIndex(indexByTenant);
    const now = new Date();
    const _id = new mongo.ObjectId();
    // A job that an older version of the program may have stored.
    await database.collection('jobs').insertOne({
      _id,
      tenantId: 'acme',
      queue: 'conversation-transcript',
      payload: { content: 'what Ann wrote' },
      state: 'waiting',
      priority: 1,
      dueAt: now,
      attempts: 0,
      progress: 0,
      failures: [],
      createdAt: now,
      updatedAt: now,
    });
    const worker = await folder.start(settings(), instrument);
    await sentry.arrived(1);
    expect(await worker.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(await database.collection('jobs').findOne({ _id })).toMatchObject({
      state: 'failed',
      attempts: 1,
    });
    expect(sentry.events.map(({ level, tags }) => ({ level, tags }))).toEqual([
      {
        level: 'error',
        tags: {
          requestId: `job-${_id.toHexString()}`,
          tenantId: 'acme',
          queue: 'conversation-transcript',
          jobId: _id.toHexString(),
          attempts: 1,
          maxAttempts: 10,
        },
      },
    ]);
    expect(sentry.received + worker.stdout + worker.stderr).not.toMatch(secrets);
    expect(logOf(worker)).toContainEqual(
      expect.objectContaining({ msg: 'job failed', tenantId: 'acme', errorId: sentry.events[0]?.event_id }),
    );
  });
});

describe('unhandled errors', () => {
  it.each([
    ['main.js', 'reject', 'unhandledRejection'],
    ['main.js', 'throw', 'uncaughtException'],
    ['worker.js', 'reject', 'unhandledRejection'],
    ['main.js', 'store', 'embeddedStore'],
  ])('%s, %s: reports the error and exits with code 1', async (entry, FAIL_BY, kind) => {
    folder = await createServiceFolder(entry);
    const own: Record<string, string> = FAIL_BY === 'store' ? { MONGODB_URI: '' } : {};
    const service = await folder.start({ ...settings(), ...own, FAIL_BY }, [...instrument, ...failOnSignal]);
    expect(await service.kill('SIGUSR2')).toEqual({ code: 1, signal: null });
    expect(sentry.events).toEqual([
      expect.objectContaining({ level: 'fatal', tags: expect.objectContaining({ kind }) as unknown }),
    ]);
    const values = sentry.events[0]?.exception?.values.map(({ value }) => value);
    expect(values).toEqual([
      'the command failed',
      'nobody waits for this at mongodb://[redacted]@127.0.0.1/x with [redacted]',
    ]);
    expect(logOf(service)).toContainEqual(
      expect.objectContaining({ level: 'fatal', errorId: sentry.events[0]?.event_id }),
    );
    expect(sentry.received + service.stdout + service.stderr).not.toMatch(secrets);
  });

  it('also exits with code 1 when the reporting server does not respond', async () => {
    folder = await createServiceFolder();
    sentry.hang();
    const service = await folder.start(settings(), [...instrument, ...failOnSignal]);
    expect(await service.kill('SIGUSR2')).toEqual({ code: 1, signal: null });
    expect(logOf(service)).toContainEqual(
      expect.objectContaining({ level: 'fatal', msg: 'unhandled error' }),
    );
  });

  it('reports invalid settings with the same message as the entry file', async () => {
    folder = await createServiceFolder();
    const start = folder.start({ ...settings(), SENTRY_DSN: 'no-dsn', PORT: 'many' }, instrument);
    await expect(start).rejects.toMatchObject({
      exit: { code: 1 },
      stderr: expect.stringMatching(
        /^The settings are not valid:\n {2}- PORT: .*\n {2}- SENTRY_DSN: .*\n$/,
      ) as string,
    });
  });
});
