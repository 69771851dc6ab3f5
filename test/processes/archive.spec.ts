import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';

/** The commands run the build in `dist`, which `npm test` creates first. */
const scripts = resolve(process.env['COLLOQUY_TEST_DIST'] ?? 'dist', 'scripts');

describe('the commands for archives', () => {
  let app: TestApp;
  let dir: string;
  let tenant: TestTenant;

  beforeAll(async () => {
    app = await createTestApp({ ARCHIVE_SCHEDULE: 'off' });
    dir = await mkdtemp(join(tmpdir(), 'colloquy-archive-'));
    tenant = await app.createTenant('acme');
  });
  afterAll(async () => {
    await app.close();
    await rm(dir, { recursive: true, force: true });
  });

  async function run(script: string, ...args: string[]): Promise<{ code: unknown; output: string }> {
    const env = {
      PATH: process.env['PATH'],
      NODE_ENV: 'test',
      DATA_DIR: join(dir, 'data'),
      ARCHIVE_DIR: join(dir, 'archives'),
      MONGODB_URI: app.database.uri,
    };
    const child = spawn(process.execPath, [join(scripts, script), ...args], { cwd: dir, env });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    const [code] = (await once(child, 'close')) as [unknown];
    return { code, output };
  }

  it('archive what is due beside a running service, and restore it', async () => {
    const { body } = await tenant.request<{ id: string }>('POST', '/v1/conversations', {
      participantId: 'ana',
      channel: 'web',
    });
    const path = `/v1/conversations/${body.id}/messages`;
    await tenant.request('POST', path, { messages: [{ role: 'user', content: 'Hello' }] });

    const dry = await run('archive.js', '--older-than-days', '0', '--dry-run');
    expect(dry.code).toBe(0);
    expect(dry.output).toMatch(/^acme +conversations +1 +0 +2 /m);
    expect(dry.output).toContain('Nothing was changed');
    expect((await tenant.request('GET', path)).status).toBe(200);

    expect((await run('archive.js')).output).toMatch(/^acme +conversations +0 +1 /m);
    const done = await run(
      'archive.js',
      '--tenant',
      'acme',
      '--kind',
      'conversations',
      '--older-than-days',
      '0',
    );
    expect(done.code).toBe(0);
    expect(done.output).toMatch(/^acme +conversations +1 +0 +2 /m);
    expect(done.output).toContain(join(dir, 'archives'));
    expect(readdirSync(join(dir, 'archives'))).toHaveLength(1);
    expect((await tenant.request('GET', path)).status).toBe(404);

    const none = await run('archive-restore.js', '--tenant', 'acme', '--to', '2001-01-01');
    expect(none).toEqual({ code: 1, output: expect.stringContaining('There is no archive') });
    const restored = await run('archive-restore.js', '--tenant', 'acme', '--kind', 'conversations');
    expect(restored.output).toContain('1 restored (2 documents) from 1 archives');
    expect(restored.code).toBe(0);
    expect((await tenant.request('GET', path)).body['data']).toMatchObject([{ content: 'Hello' }]);

    await tenant.request('PATCH', `/v1/conversations/${body.id}`, { title: 'New' });
    const known = await run('archive-restore.js', '--tenant', 'acme');
    expect(known.output).toContain('archives were restored before and left out');
    const conflict = await run('archive-restore.js', '--tenant', 'acme', '--again');
    expect(conflict.code).toBe(1);
    expect(conflict.output).toContain(`${body.id} was not restored`);
  });

  it.each([
    ['archive.js', ['--kind', 'dreams'], /Allowed choices are conversations, transcripts, jobs/],
    ['archive.js', ['--older-than-days', '-1'], /whole number from 0/],
    ['archive.js', ['--tenant', 'nobody'], /nobody/],
    ['archive-restore.js', [], /--tenant/],
    ['archive-restore.js', ['--tenant', 'acme', '--from', 'yesterday'], /must be a date or time/],
  ])('refuse bad input (%s %j)', async (script, args, message) => {
    const { code, output } = await run(script, ...args);
    expect(code).toBe(1);
    expect(output).toMatch(message);
    expect(output).not.toContain('    at ');
  });
});
