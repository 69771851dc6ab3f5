import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClaimedDirectory } from './claimed-directory.js';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'colloquy-claims-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const claim = (): Promise<ClaimedDirectory> => ClaimedDirectory.claim(dir, '.in-progress', 'A backup');

describe('a claimed directory', () => {
  it('is refused to others of the same process until it is removed', async () => {
    const first = await claim();
    await expect(claim()).rejects.toThrow(/A backup in .* is running: process \d+ on/);
    await first.remove();
    await (await claim()).remove();
    expect(await readdir(dir)).toEqual([]);
  });

  it('that could not be removed can be claimed again', async () => {
    const first = await claim();
    // A file instead of the parent lets every step of the removal fail, also for root.
    await rename(dir, `${dir}-away`);
    await writeFile(dir, '');
    await first.remove().catch(() => undefined);
    await rm(dir);
    await rename(`${dir}-away`, dir);
    await (await claim()).remove();
    expect(await readdir(dir)).toEqual([]);
  });

  it('that another process has taken over is not removed', async () => {
    const first = await claim();
    await rm(first.path, { recursive: true });
    await mkdir(first.path);
    await writeFile(join(first.path, 'owner.json'), JSON.stringify({ id: 'other', host: 'other', pid: 1 }));
    await first.remove();
    expect(await readdir(first.path)).toEqual(['owner.json']);
  });
});
