import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { signatureOf } from '../../http-client/index.js';
import { createLogger } from '../../logging/index.js';
import { type AlertEvent, AlertWebhook, type AlertWebhookOptions } from './alert-webhook.js';

const SECRET = 'secret-of-the-receiver';

const eventOf = (name: string): AlertEvent => ({
  event: 'alert.raised',
  at: '2026-01-01T00:00:00.000Z',
  status: 'degraded',
  service: { name: 'colloquy', version: '1.0.0', instance: 'host:1' },
  alert: {
    id: `id-of-${name}`,
    name,
    severity: 'warning',
    message: 'It is 2, above 1.',
    value: 2,
    limit: 1,
    unit: 'count',
    startedAt: '2026-01-01T00:00:00.000Z',
    endedAt: null,
  },
});

interface Received {
  name: string;
  body: string;
  headers: IncomingHttpHeaders;
}

describe('AlertWebhook', () => {
  let server: Server;
  let url: string;
  let received: Received[];
  /** How the receiver responds to the next requests; 204 after that. `hang`: not at all. */
  let answers: (number | 'hang')[];
  let onRequest: () => void;

  beforeEach(async () => {
    received = [];
    answers = [];
    onRequest = () => undefined;
    server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        const { alert } = JSON.parse(body) as AlertEvent;
        received.push({ name: alert.name, body, headers: request.headers });
        const answer = answers.shift() ?? 204;
        if (answer !== 'hang') response.writeHead(answer).end();
        onRequest();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://user:password@127.0.0.1:${(server.address() as AddressInfo).port}/hooks/T0KEN`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  function webhookWith(options: Partial<AlertWebhookOptions> = {}) {
    const logger = createLogger({ level: 'silent', pretty: false });
    const lost: unknown[] = [];
    jest.spyOn(logger, 'error').mockImplementation((details: unknown) => void lost.push(details));
    const backoff = { baseMs: 1, maxMs: 2 };
    const webhook = new AlertWebhook({ url, secret: SECRET, logger, flushMs: 1000, backoff, ...options });
    return { webhook, lost };
  }

  it('posts one alert after another, signed', async () => {
    const { webhook, lost } = webhookWith();
    webhook.send(eventOf('a'));
    webhook.send(eventOf('b'));
    await webhook.idle();
    expect(received.map(({ name }) => name)).toEqual(['a', 'b']);
    const { body = '', headers } = received[0] ?? {};
    expect(JSON.parse(body)).toEqual(eventOf('a'));
    const timestamp = String(headers?.['x-colloquy-timestamp']);
    expect(headers?.['x-colloquy-signature']).toBe(signatureOf(SECRET, timestamp, body));
    expect(headers?.authorization).toBe(`Basic ${Buffer.from('user:password').toString('base64')}`);
    expect(lost).toEqual([]);
    await webhook.onApplicationShutdown();
  });

  it('does not sign without a secret', async () => {
    const { webhook } = webhookWith({ secret: undefined });
    webhook.send(eventOf('a'));
    await webhook.idle();
    expect(received[0]?.headers).not.toHaveProperty('x-colloquy-signature');
    await webhook.onApplicationShutdown();
  });

  it('retries after a server error with the same id, and keeps the order', async () => {
    answers = [500, 429];
    const { webhook, lost } = webhookWith();
    webhook.send(eventOf('a'));
    webhook.send(eventOf('b'));
    await webhook.idle();
    expect(received.map(({ name }) => name)).toEqual(['a', 'a', 'a', 'b']);
    const ids = received.map(({ headers }) => headers['idempotency-key']);
    expect(new Set(ids.slice(0, 3)).size).toBe(1);
    expect(ids[3]).not.toBe(ids[0]);
    expect(lost).toEqual([]);
    await webhook.onApplicationShutdown();
  });

  it('gives up after five attempts, logs that without the URL, and continues with the next alert', async () => {
    answers = [500, 500, 500, 500, 500];
    const { webhook, lost } = webhookWith();
    webhook.send(eventOf('a'));
    webhook.send(eventOf('b'));
    await webhook.idle();
    expect(received.map(({ name }) => name)).toEqual(['a', 'a', 'a', 'a', 'a', 'b']);
    expect(lost).toEqual([
      {
        alertId: 'id-of-a',
        alert: 'a',
        event: 'alert.raised',
        reason: 'the receiver responded with 500',
        attempts: 5,
      },
    ]);
    expect(JSON.stringify(lost)).not.toMatch(/password|T0KEN/);
    await webhook.onApplicationShutdown();
  });

  it('does not retry after a permanent error', async () => {
    answers = [404];
    const { webhook, lost } = webhookWith();
    webhook.send(eventOf('a'));
    await webhook.idle();
    expect(received).toHaveLength(1);
    expect(lost).toMatchObject([{ reason: 'the receiver responded with 404', attempts: 1 }]);
    await webhook.onApplicationShutdown();
  });

  it('retries after a timeout', async () => {
    answers = ['hang'];
    const { webhook, lost } = webhookWith({ timeoutMs: 500 });
    webhook.send(eventOf('a'));
    await webhook.idle();
    // On a slow machine the second response may be late as well.
    expect(received.length).toBeGreaterThanOrEqual(2);
    expect(lost).toEqual([]);
    await webhook.onApplicationShutdown();
  });

  it('keeps at most 100 alerts while the receiver does not respond, and drops the oldest waiting ones', async () => {
    answers = ['hang'];
    const { webhook, lost } = webhookWith({ timeoutMs: 60_000 });
    const asked = new Promise<void>((resolve) => (onRequest = resolve));
    for (let number = 0; number < 103; number++) webhook.send(eventOf(`n${number}`));
    expect(lost).toMatchObject([{ alert: 'n1' }, { alert: 'n2' }, { alert: 'n3' }]);
    await asked;
    server.closeAllConnections();
    await webhook.idle();
    expect(new Set(received.map(({ name }) => name)).size).toBe(100);
    await webhook.onApplicationShutdown();
  });

  it('sends waiting alerts during a shutdown, without delays between attempts', async () => {
    answers = [500];
    const { webhook, lost } = webhookWith({ backoff: { baseMs: 600_000, maxMs: 600_000 }, flushMs: 30_000 });
    const asked = new Promise<void>((resolve) => (onRequest = resolve));
    webhook.send(eventOf('a'));
    webhook.send(eventOf('b'));
    await asked;
    await webhook.onApplicationShutdown();
    expect(received.map(({ name }) => name)).toEqual(['a', 'a', 'b']);
    expect(lost).toEqual([]);
  });

  it('finishes a shutdown in time if the receiver does not respond, and logs each unsent alert', async () => {
    answers = ['hang', 'hang', 'hang'];
    const { webhook, lost } = webhookWith({ timeoutMs: 600_000, flushMs: 50 });
    webhook.send(eventOf('a'));
    webhook.send(eventOf('b'));
    await webhook.onApplicationShutdown();
    expect(lost).toMatchObject([
      { alert: 'a' },
      { alert: 'b', reason: 'the process is shutting down', attempts: 0 },
    ]);
  });

  it('does nothing without a URL', async () => {
    const { webhook } = webhookWith({ url: undefined });
    webhook.send(eventOf('a'));
    await webhook.idle();
    await webhook.onApplicationShutdown();
    expect(received).toEqual([]);
  });
});
