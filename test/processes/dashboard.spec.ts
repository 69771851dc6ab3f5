import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import type { Alert, MonitoringSnapshot } from '../../src/monitoring/index.js';
import { createTestApp, type TestApp } from '../support/app.js';

const dist = resolve(process.env['COLLOQUY_TEST_DIST'] ?? 'dist');

interface Result {
  code: unknown;
  stdout: string;
  stderr: string;
}

/** The command runs the build in `dist`, which `npm test` creates first. */
function start(adminKey: string, args: string[]): ChildProcess {
  const env = { PATH: process.env['PATH'], NODE_ENV: 'test', ADMIN_API_KEY: adminKey };
  return spawn(process.execPath, [resolve(dist, 'scripts', 'dashboard.js'), ...args], { cwd: tmpdir(), env });
}

async function finish(child: ChildProcess): Promise<Result> {
  const result = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.setEncoding('utf8').on('data', (text: string) => (result[name] += text));
  const [code] = (await once(child, 'close')) as [unknown];
  return { code, ...result };
}

const alert: Alert = {
  id: 'a-1',
  name: 'event_loop_lag',
  severity: 'critical',
  message: 'The p99 of the event loop lag is 1500 ms, above 1000 ms.',
  value: 1500,
  limit: 1000,
  unit: 'ms',
  startedAt: '2026-01-01T00:00:00.000Z',
  endedAt: null,
};

describe('npm run dashboard', () => {
  let app: TestApp;

  beforeAll(async () => {
    app = await createTestApp();
    const tenant = await app.createTenant();
    await tenant.request('POST', '/v1/messages', { participantId: 'p-1', channel: 'web', content: 'Hello' });
  });
  afterAll(() => app.close());

  it('prints plain tables for a running service, and exits with code 0 if it is healthy', async () => {
    const { code, stdout, stderr } = await finish(start(app.adminKey, ['--url', app.url]));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^HEALTHY · colloquy /);
    expect(stdout).toMatch(/\nAlerts\nNone\.\n/);
    expect(stdout).toMatch(/\nPOST \/v1\/messages +1 +0\.0 %/);
    expect(stdout).toMatch(/\nconversation-transcript +0 +0 +0 +0 +-\n/);
    for (const title of ['state', 'pool', 'sessions', 'cache', 'transcripts', 'process', 'disk', 'redis'])
      expect(stdout).toMatch(new RegExp(`\n${title} {2,}\\S`));
    expect(stdout).not.toContain('\u001b');
  });

  it('reports an unreachable service or a rejected key, and exits with code 1', async () => {
    const away = await finish(start(app.adminKey, ['--url', 'http://127.0.0.1:1']));
    expect(away.code).toBe(1);
    expect(away.stderr).toContain('The service is not responding');
    const refused = await finish(start('another-key-of-16-letters', ['--url', app.url]));
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('401');
    expect(refused.stderr).not.toContain('another-key');
  });

  it('refreshes with --watch until it is stopped', async () => {
    const child = start(app.adminKey, ['--url', app.url, '--watch', '1', '--json']);
    const ended = finish(child);
    let lines = 0;
    await new Promise<void>((enough) => {
      child.stdout?.on('data', (text: string) => {
        lines += text.split('\n').length - 1;
        if (lines >= 2) enough();
      });
    });
    child.kill('SIGTERM');
    const { code, stdout } = await ended;
    expect(code).toBe(0);
    const [first, second] = stdout
      .split('\n')
      .map((line) => (line ? (JSON.parse(line) as MonitoringSnapshot) : undefined));
    expect(first?.at).not.toBe(second?.at);
  });

  describe('for a service with an alert', () => {
    let server: Server;
    let url: string;
    let status: MonitoringSnapshot['status'];

    beforeAll(async () => {
      const { body } = await app.request<MonitoringSnapshot>('GET', '/v1/monitoring');
      server = createServer((_request, response) => {
        const snapshot = { ...body, status, alerts: { active: [alert], recent: [] } };
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(snapshot));
      });
      await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    });
    afterAll(async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    });

    it.each([
      ['degraded', 1],
      ['critical', 2],
    ] as const)('prints the alert and exits with the code of %s', async (now, expected) => {
      status = now;
      const { code, stdout } = await finish(start(app.adminKey, ['--url', url]));
      expect(code).toBe(expected);
      expect(stdout).toContain(`${now.toUpperCase()} · colloquy`);
      expect(stdout).toContain(`CRITICAL since 2026-01-01T00:00:00.000Z: ${alert.message}\n`);
    });
  });
});
