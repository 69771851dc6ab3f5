import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backupsIn, newestWholeBackup } from './backup-directory.js';
import { BackupKeys } from './backup-keys.js';
import { manifestHead, writeManifest } from './manifest.js';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'colloquy-backups-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** Writes a backup of one file. */
async function make(day: string, content = 'rows'): Promise<string> {
  const name = `${day}T00-00-00.000Z`;
  const time = `${day}T00:00:00.000Z`;
  const sha256 = '0'.repeat(64);
  const sizes = { bytes: 4, sha256, plainBytes: 4, plainSha256: sha256 };
  const file = { name: 'rows', role: 'store', ...sizes, compressed: false, encrypted: false } as const;
  const times = { createdAt: time, finishedAt: time, verifiedAt: time };
  const what = { colloquy: '1', kind: 'embedded', database: 'colloquy' } as const;
  const keys = BackupKeys.fromSetting(undefined);
  await mkdir(join(dir, name));
  await writeManifest(
    join(dir, name),
    { ...manifestHead, ...what, ...times, collections: [], files: [file] },
    keys,
  );
  await writeFile(join(dir, name, 'rows'), content);
  return name;
}

describe('the backups in a directory', () => {
  it('are listed from the newest, with whether they are whole', async () => {
    await make('2026-11-01');
    await make('2026-11-03', 'cut');
    await make('2026-11-02');
    await mkdir(join(dir, '2026-11-04T00-00-00.000Z'));
    const found: string[] = [];
    for await (const { name, isWhole } of backupsIn(dir)) found.push(`${name.slice(0, 10)} ${isWhole}`);
    expect(found).toEqual(['2026-11-03 false', '2026-11-02 true', '2026-11-01 true']);
  });

  it('are read only as far as the newest whole one', async () => {
    const unreadable = await make('2026-11-01');
    // Reading it would be an error.
    await rm(join(dir, unreadable, 'manifest.json'));
    await mkdir(join(dir, unreadable, 'manifest.json'));
    const newest = await make('2026-11-02');
    await make('2026-11-03', 'cut');
    expect((await newestWholeBackup(dir))?.name).toBe(newest);
  });

  it('are none in a directory that does not exist', async () => {
    expect(await newestWholeBackup(join(dir, 'nothing'))).toBeUndefined();
  });
});
