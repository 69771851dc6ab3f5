/**
 * The SDK stores itself in a global variable, which breaks when jest clears globals between suites.
 *
 * @jest-environment-options {"globalsCleanup": "off"}
 */
import { close } from '@sentry/node';
import { type FakeSentry, startFakeSentry } from '../../../test/support/fake-sentry.js';
import { loadSettings } from '../../config/index.js';
import { type ErrorReporter, runInContext, silentReporter } from '../../logging/index.js';
import { startErrorReports } from './sentry-reporter.js';

describe('the Sentry reporter', () => {
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

  it('adds the current request; explicit details take precedence', async () => {
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

  it('sends a throttled report only once, but returns a new id for each', async () => {
    const ids = [1, 2, 3].map(() => errors.report(new Error('away'), { throttle: 'database_unavailable' }));
    expect(new Set(ids).size).toBe(3);
    await errors.flush(5000);
    expect(sentry.events.map(({ event_id }) => event_id)).toEqual([ids[0]]);
  });

  it.each([
    ['a text', 'just so'],
    ['an object', { content: 'what Ann wrote' }],
    ['nothing', undefined],
  ])('reports %s that was thrown, without its contents', async (_what, thrown) => {
    errors.report(thrown, { level: 'fatal' });
    await errors.flush(5000);
    expect(sentry.events).toEqual([expect.objectContaining({ level: 'fatal' })]);
    expect(sentry.events[0]?.exception?.values[0]?.type).toBe('NonError');
    expect(sentry.received).not.toContain('Ann');
  });

  it('sends notices that are not errors, scrubbed in the same way', async () => {
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

  it('waits for a server that does not respond no longer than the timeout', async () => {
    sentry.hang();
    errors.report(new Error('lost'));
    expect(await errors.flush(50)).toBe(false);
  });
});
