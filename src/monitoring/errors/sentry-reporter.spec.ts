/**
 * The SDK keeps itself in a global that jest's clearing of globals between suites does not end with.
 *
 * @jest-environment-options {"globalsCleanup": "off"}
 */
import { close } from '@sentry/node';
import { type FakeSentry, startFakeSentry } from '../../../test/support/fake-sentry.js';
import { loadSettings } from '../../config/index.js';
import { type ErrorReporter, runInContext, silentReporter } from '../../logging/index.js';
import { startErrorReports } from './sentry-reporter.js';

describe('the reporter of Sentry', () => {
  let sentry: FakeSentry;
  let errors: ErrorReporter;
  beforeEach(async () => {
    sentry = await startFakeSentry();
    errors = await startErrorReports(loadSettings({ SENTRY_DSN: sentry.dsn, NODE_ENV: 'test' }));
  });
  afterEach(async () => {
    await sentry.close();
    await close(1000);
  });

  it('sends nothing without a DSN', async () => {
    expect(await startErrorReports(loadSettings({}))).toBe(silentReporter);
  });

  it('adds the request at work, and lets the details win', async () => {
    const error = new Error('above', { cause: new TypeError('below') });
    const id = runInContext({ requestId: 'r1', tenantId: 'acme', route: '/v1/x' }, () =>
      errors.report(error, { tags: { route: '/v1/y', status: 500, code: undefined } }),
    );
    expect(await errors.flush(5000)).toBe(true);
    expect(sentry.events).toEqual([
      expect.objectContaining({
        event_id: id,
        level: 'error',
        environment: 'test',
        release: expect.stringMatching(/^colloquy@\d+\.\d+\.\d+/) as string,
        tags: { requestId: 'r1', tenantId: 'acme', route: '/v1/y', status: 500 },
      }),
    ]);
    expect(sentry.events[0]?.exception?.values.map(({ type }) => type)).toEqual(['TypeError', 'Error']);
  });

  it('sends a throttled report once, each answered with an id of its own', async () => {
    const ids = [1, 2, 3].map(() => errors.report(new Error('away'), { throttle: 'database_unavailable' }));
    expect(new Set(ids).size).toBe(3);
    await errors.flush(5000);
    expect(sentry.events.map(({ event_id }) => event_id)).toEqual([ids[0]]);
  });

  it.each([
    ['a text', 'just so'],
    ['an object', { content: 'what Ann wrote' }],
    ['nothing', undefined],
  ])('reports %s that was thrown, without what is in it', async (_what, thrown) => {
    errors.report(thrown, { level: 'fatal' });
    await errors.flush(5000);
    expect(sentry.events).toEqual([expect.objectContaining({ level: 'fatal' })]);
    expect(sentry.events[0]?.exception?.values[0]?.type).toBe('NonError');
    expect(sentry.received).not.toContain('Ann');
  });

  it('sends notices that are no errors, scrubbed alike', async () => {
    const id = errors.notify('redis://:hush@h is slow', { level: 'warning', tags: { alert: 'lag' } });
    await errors.flush(5000);
    expect(sentry.events).toEqual([
      expect.objectContaining({
        event_id: id,
        level: 'warning',
        message: 'redis://[redacted]@h is slow',
        tags: { alert: 'lag' },
      }),
    ]);
  });

  it('does not wait for a server that is silent longer than it is told to', async () => {
    sentry.hang();
    errors.report(new Error('lost'));
    expect(await errors.flush(50)).toBe(false);
  });
});
