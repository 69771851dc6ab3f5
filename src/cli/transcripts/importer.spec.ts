import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Checkpoint, type ImportState, newState, readState } from './checkpoint.js';
import { Importer } from './importer.js';
import { readLines, scanFile } from './lines.js';
import { ImportStoppedError, type Sent } from './sender.js';

type Body = Record<string, unknown>;

const row = (n: number): string =>
  JSON.stringify({ participantId: 'ana', channel: 'web', transcript: `t${n}` });

describe('Importer', () => {
  let dir: string;
  let file: string;
  let files: { state: string; rejected: string };

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'colloquy-import-'));
    file = join(dir, 'in.ndjson');
    files = { state: join(dir, 'state.json'), rejected: join(dir, 'rejected.ndjson') };
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const state = async (): Promise<ImportState> =>
    (await readState(files.state)) ?? newState({ url: 'u', tenantId: 't', reading: 'transcripts' });

  /** Performs one run like the command, continuing from the stored state. */
  async function run(
    send: (body: Body, signal: AbortSignal) => Promise<Sent>,
    { concurrency = 4, signal = new AbortController().signal } = {},
  ): Promise<boolean> {
    const from = await state();
    const { prefix } = await scanFile(file, from.lines);
    expect(prefix?.fingerprint).toBe(from.fingerprint);
    const checkpoint = await Checkpoint.open(files, from);
    const importer = new Importer({ send }, checkpoint, {
      format: 'transcripts',
      channel: 'web',
      labels: false,
      concurrency,
      signal,
    });
    return importer.run(readLines(file, { lines: from.lines, offset: prefix?.offset ?? 0 }));
  }
  const rejectedRows = async () =>
    (await readFile(files.rejected, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { line: number; reason: string; text: string });

  it('sends each line with an id, and writes rejected lines to a file in order', async () => {
    await writeFile(file, [row(1), '{bad', '', row(4), '[5]', row(6), row(7)].join('\n'));
    const bodies: Body[] = [];
    const isWhole = await run((body) => {
      bodies.push(body);
      return Promise.resolve(body['transcript'] === 't6' ? { rejected: '400 no' } : { id: 'x' });
    });
    expect(isWhole).toBe(true);
    expect(bodies.map(({ transcript }) => transcript)).toEqual(['t1', 't4', 't6', 't7']);
    expect(new Set(bodies.map(({ externalId }) => externalId)).size).toBe(4);
    expect(await state()).toMatchObject({ lines: 7, accepted: 3, rejected: 3 });
    const rows = await rejectedRows();
    expect(rows.map(({ line, text }) => [line, text])).toEqual([
      [2, '{bad'],
      [5, '[5]'],
      [6, row(6)],
    ]);
    expect(rows.map(({ reason }) => reason)).toEqual([
      expect.stringContaining('is not valid JSON'),
      'is not a JSON object',
      '400 no',
    ]);
  });

  it('assigns the same id to a line in each run, different ids to equal lines, and keeps a given id', async () => {
    await writeFile(
      file,
      [row(1), row(1), JSON.stringify({ transcript: 'x', externalId: 'mine' })].join('\n'),
    );
    const names: unknown[][] = [];
    for (let round = 0; round < 2; round++) {
      const seen: unknown[] = [];
      await rm(files.state, { force: true });
      await run(
        ({ externalId }) => {
          seen.push(externalId);
          return Promise.resolve({ id: 'x' });
        },
        { concurrency: 1 },
      );
      names.push(seen);
    }
    expect(names[0]).toEqual(names[1]);
    expect(new Set(names[0]).size).toBe(3);
    expect(names[0]?.[2]).toBe('mine');
  });

  it('limits the number of concurrent requests', async () => {
    await writeFile(file, Array.from({ length: 40 }, (_, n) => row(n)).join('\n'));
    let running = 0;
    let most = 0;
    await run(async () => {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running--;
      return { id: 'x' };
    });
    expect(most).toBe(4);
  });

  it('counts the lines before the first unfinished one, and continues there after a stop', async () => {
    await writeFile(file, Array.from({ length: 20 }, (_, n) => row(n + 1)).join('\n'));
    const sent: unknown[] = [];
    const send = async ({ transcript }: Body): Promise<Sent> => {
      sent.push(transcript);
      await new Promise(setImmediate);
      if (transcript === 't6' && sent.length < 20) throw new ImportStoppedError('away');
      return { id: 'x' };
    };
    await expect(run(send)).rejects.toThrow('away');
    const { lines } = await state();
    expect(lines).toBe(5);
    sent.length = 20;
    expect(await run(send)).toBe(true);
    expect(sent.slice(20)).toEqual(Array.from({ length: 15 }, (_, n) => `t${n + 6}`));
    expect(await state()).toMatchObject({ lines: 20, accepted: 20 });
  });

  it('stops on the signal after the requests in progress', async () => {
    await writeFile(file, Array.from({ length: 20 }, (_, n) => row(n + 1)).join('\n'));
    const controller = new AbortController();
    let sent = 0;
    const isWhole = await run(
      () => {
        if (++sent === 5) controller.abort();
        return Promise.resolve({ id: 'x' });
      },
      { concurrency: 1, signal: controller.signal },
    );
    expect(isWhole).toBe(false);
    expect(await state()).toMatchObject({ lines: 5, accepted: 5 });
  });

  it('removes rejected lines that a killed run wrote after its last state', async () => {
    await writeFile(file, ['{a', row(2)].join('\n'));
    await run(() => Promise.resolve({ id: 'x' }));
    const before = await readFile(files.rejected, 'utf8');
    await writeFile(files.rejected, `${before}{"line":9`);
    await Checkpoint.open(files, await state());
    expect(await readFile(files.rejected, 'utf8')).toBe(before);
  });

  it('rejects a file that is not a state file', async () => {
    await writeFile(files.state, 'something');
    await expect(readState(files.state)).rejects.toThrow('is not the state file of an import');
  });
});
