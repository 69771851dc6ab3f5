import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createTestApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';

const script = resolve(process.env['COLLOQUY_TEST_DIST'] ?? 'dist', 'scripts', 'transcripts-reembed.js');

describe('the re-embedding command', () => {
  let app: TestApp;
  let dir: string;

  beforeAll(async () => {
    app = await createTestApp({ TRANSCRIPT_BATCH_TIMEOUT_MS: '50' });
    dir = await mkdtemp(join(tmpdir(), 'colloquy-reembed-'));
  });
  afterAll(async () => {
    await app.close();
    await rm(dir, { recursive: true, force: true });
  });

  /** The command runs the build in `dist`, which `npm test` creates first. */
  async function run(...args: string[]): Promise<{ code: unknown; output: string }> {
    const env = {
      PATH: process.env['PATH'],
      NODE_ENV: 'test',
      DATA_DIR: join(dir, 'data'),
      MONGODB_URI: app.database.uri,
    };
    const child = spawn(process.execPath, [script, ...args], { cwd: dir, env });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    const [code] = (await once(child, 'close')) as [unknown];
    return { code, output };
  }

  it('gives transcripts of another model new vectors, which a running service finds', async () => {
    const tenant = await app.createTenant();
    const { tenantId } = tenant;
    for (const transcript of ['a train to Lisbon', 'a table for four', 'the weather'])
      await tenant.request('POST', '/v1/transcripts', { participantId: 'ana', channel: 'web', transcript });
    const rows = app.database.collection('transcripts');
    await eventually(async () => (await rows.countDocuments({ tenantId, status: 'stored' })) >= 3);
    await rows.updateMany({ tenantId }, { $set: { model: 'another' } });
    const find = async () =>
      (await tenant.request<{ data: object[] }>('POST', '/v1/transcripts/search', { query: 'table' })).body
        .data;
    expect(await find()).toEqual([]);

    const dry = await run('--dry-run');
    expect(dry).toEqual({ code: 0, output: expect.stringContaining('3 transcripts of 1 tenant') });
    expect(await rows.countDocuments({ tenantId, model: 'another' })).toBe(3);
    const done = await run('--batch-size', '2');
    expect(done).toEqual({ code: 0, output: expect.stringContaining('3 re-embedded') });
    expect(await find()).toHaveLength(3);
    expect((await find())[0]).toMatchObject({ transcript: 'a table for four' });
    expect(await run()).toEqual({ code: 0, output: expect.stringContaining('All vectors are from') });
  });
});
