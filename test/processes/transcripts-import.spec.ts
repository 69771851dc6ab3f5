import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';
import { eventually } from '../support/eventually.js';

const script = resolve(process.env['COLLOQUY_TEST_DIST'] ?? 'dist', 'scripts', 'transcripts-import.js');

/** The import command runs the build in `dist`, which `npm test` creates first. */
class ImportProcess {
  readonly exited: Promise<number | null>;
  output = '';

  constructor(
    readonly child: ChildProcess,
    private readonly stateFile: string,
  ) {
    this.exited = once(child, 'close').then(([code]) => code as number | null);
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
  }

  /** Kills the import once more than `lines` lines are done, and returns how many were. */
  async killBeyond(lines: number): Promise<number> {
    let done = 0;
    await eventually(async () => {
      const text = await readFile(this.stateFile, 'utf8').catch(() => '{"lines":0}');
      done = (JSON.parse(text) as { lines: number }).lines;
      return done > lines;
    });
    this.child.kill('SIGKILL');
    await this.exited;
    return done;
  }
}

describe('importing transcripts', () => {
  let app: TestApp;
  let tenant: TestTenant;
  let dir: string;
  let file: string;
  const started: ImportProcess[] = [];

  const start = (...args: string[]): ImportProcess => {
    const child = spawn(process.execPath, [script, file, '--url', app.url, ...args], {
      cwd: dir,
      env: { PATH: process.env['PATH'], COLLOQUY_API_KEY: tenant.apiKey },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const run = new ImportProcess(child, `${file}.import.json`);
    started.push(run);
    return run;
  };
  const line = (n: number): string =>
    JSON.stringify({ participantId: 'ana', channel: 'web', transcript: `talk number ${n}` });
  const stored = () =>
    app.database.collection('transcripts').find({ tenantId: tenant.tenantId }).hint({ _id: 1 }).toArray();

  beforeAll(async () => {
    // A small queue, so that the import has to wait when it is full.
    app = await createTestApp({ TRANSCRIPT_BATCH_TIMEOUT_MS: '50', TRANSCRIPT_MAX_QUEUE_SIZE: '100' });
  });
  beforeEach(async () => {
    tenant = await app.createTenant();
    dir = await mkdtemp(join(tmpdir(), 'colloquy-import-'));
    file = join(dir, 'talks.ndjson');
  });
  afterEach(async () => {
    for (const { child } of started.splice(0)) child.kill('SIGKILL');
    await rm(dir, { recursive: true, force: true });
  });
  afterAll(() => app.close());

  it('resumes where it was killed, and stores every line once', async () => {
    const lines = Array.from({ length: 300 }, (_, n) => line(n));
    lines[40] = '{"participantId":"..","channel":"web","transcript":"refused"}';
    lines[41] = 'no JSON';
    await writeFile(file, lines.join('\n'));
    const first = await start().killBeyond(0);
    const second = await start().killBeyond(first);
    expect(second).toBeGreaterThan(first);
    expect(second).toBeLessThan(300);
    const last = start();
    expect(await last.exited).toBe(1);
    expect(last.output).toContain(`of 300 lines were done before`);
    expect(last.output).toContain('accepted   298');
    await eventually(async () => (await stored()).length >= 298);
    const texts = (await stored()).map(({ transcript }) => transcript as string);
    expect(new Set(texts).size).toBe(298);
    expect(texts).toHaveLength(298);
    const rejected = (await readFile(`${file}.rejected.ndjson`, 'utf8')).trim().split('\n');
    expect(rejected.map((text) => (JSON.parse(text) as { line: number }).line)).toEqual([41, 42]);
    expect(rejected[0]).toContain('participantId: ');

    await rm(`${file}.import.json`);
    expect(await start().exited).toBe(1);
    await tenant.request('POST', '/v1/transcripts', { ...(JSON.parse(line(999)) as object) });
    await eventually(async () => (await stored()).length >= 299);
    expect(await stored()).toHaveLength(299);
  });

  it('reads dialogues, and rejects another file or tenant with the same state file', async () => {
    await writeFile(file, await readFile(resolve('examples/dialogues.ndjson'), 'utf8'));
    const run = start('--format', 'dialogues');
    expect([await run.exited, run.output]).toEqual([0, expect.stringContaining('rejected   0')]);
    await eventually(async () => (await stored()).length > 0);
    const [row] = await stored();
    expect(row).toMatchObject({ channel: 'web', metadata: { dialogueId: expect.any(String) as string } });
    expect(row?.['transcript']).not.toMatch(/^user:/);

    const again = start('--format', 'dialogues');
    expect([await again.exited, again.output]).toEqual([0, expect.stringContaining('were done before')]);
    const otherWay = start();
    expect([await otherWay.exited, otherWay.output]).toEqual([1, expect.stringContaining('--restart')]);
    await writeFile(file, line(1));
    const otherFile = start('--format', 'dialogues');
    expect([await otherFile.exited, otherFile.output]).toEqual([1, expect.stringContaining('--restart')]);
    tenant = await app.createTenant();
    const otherTenant = start('--format', 'dialogues');
    expect([await otherTenant.exited, otherTenant.output]).toEqual([
      1,
      expect.stringContaining('belongs to an'),
    ]);
  });

  it('stops if the key is invalid', async () => {
    await writeFile(file, line(1));
    const run = start('--key', 'none');
    expect([await run.exited, run.output]).toEqual([1, expect.stringContaining('401')]);
  });
});
