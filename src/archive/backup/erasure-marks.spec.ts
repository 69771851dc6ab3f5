import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ErasureMark, hasMarks, markBackups, marksSince } from './erasure-marks.js';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'colloquy-marks-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const mark = (participantHash: string, erasedAt: string): ErasureMark => ({
  tenantId: 't',
  participantHash,
  erasedAt: new Date(erasedAt),
});

let damaged: number;

async function hashesSince(since: string): Promise<string[]> {
  const hashes: string[] = [];
  damaged = 0;
  for await (const { participantHash } of marksSince(dir, new Date(since), () => damaged++))
    hashes.push(participantHash);
  return hashes;
}

describe('erasure marks', () => {
  it('are those that are not older than the backup, nor than ten minutes before it', async () => {
    for (const [n, hash] of ['a', 'b', 'c'].entries())
      await markBackups(dir, mark(hash, `2026-11-0${n + 1}T00:00:00.000Z`));
    expect(await hashesSince('2026-11-02T00:00:00.000Z')).toEqual(['b', 'c']);
    expect(await hashesSince('2026-11-02T00:10:00.000Z')).toEqual(['b', 'c']);
    expect(await hashesSince('2026-11-02T00:10:00.001Z')).toEqual(['c']);
    expect(damaged).toBe(0);
  });

  it('create the directory and are private to the user', async () => {
    dir = join(dir, 'new');
    expect(await hasMarks(dir)).toBe(false);
    expect(await hashesSince('2000-01-01T00:00:00.000Z')).toEqual([]);
    await markBackups(dir, mark('a', '2026-11-01T00:00:00.000Z'));
    expect(await hasMarks(dir)).toBe(true);
    expect((await stat(join(dir, 'erasures.ndjson'))).mode & 0o077).toBe(0);
    expect((await stat(dir)).mode & 0o077).toBe(0);
  });

  it('that a crash has cut off swallow no later one', async () => {
    await markBackups(dir, mark('a', '2026-11-01T00:00:00.000Z'));
    await appendFile(join(dir, 'erasures.ndjson'), '{"tenantId":"t","partic');
    await markBackups(dir, mark('b', '2026-11-02T00:00:00.000Z'));
    expect(await hashesSince('2000-01-01T00:00:00.000Z')).toEqual(['a', 'b']);
  });

  it('that are damaged are counted', async () => {
    for (const [n, hash] of ['a', 'b', 'c'].entries())
      await markBackups(dir, mark(hash, `2026-11-0${n + 1}T00:00:00.000Z`));
    const path = join(dir, 'erasures.ndjson');
    await writeFile(path, (await readFile(path, 'utf8')).replace('"b"', '"b'));
    expect(await hashesSince('2000-01-01T00:00:00.000Z')).toEqual(['a', 'c']);
    expect(damaged).toBe(1);
  });

  it('contain the hash of a participant and nothing else of them', async () => {
    await markBackups(dir, mark('a', '2026-11-01T00:00:00.000Z'));
    expect(JSON.parse(await readFile(join(dir, 'erasures.ndjson'), 'utf8'))).toEqual({
      tenantId: 't',
      participantHash: 'a',
      erasedAt: '2026-11-01T00:00:00.000Z',
    });
  });
});
