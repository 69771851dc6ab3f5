import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { adoptDead, claimFolder, isGone, ownMark } from './owner.js';

const isRecordFile = (name: string): boolean => name.endsWith('.seg');

describe('isGone', () => {
  it('takes this process for alive', async () => {
    const self = await ownMark();
    expect(await isGone(self, self)).toBe(false);
  });

  it('takes a pid that another process has by now for gone', async () => {
    const self = { ...(await ownMark()), startTicks: '2' };
    expect(await isGone({ ...self, startTicks: '1' }, self)).toBe(process.platform === 'linux');
  });

  it('takes an owner of an earlier boot for gone', async () => {
    const self = { ...(await ownMark()), bootId: 'now' };
    expect(await isGone({ ...self, bootId: 'before' }, self)).toBe(true);
  });

  it('does not judge a pid of another namespace', async () => {
    const self = await ownMark();
    expect(await isGone({ ...self, pid: 2 ** 22 + 1, pidNamespace: 'pid:[1]' }, self)).toBe(false);
  });

  it('takes a pid that no process has for gone', async () => {
    const self = await ownMark();
    expect(await isGone({ ...self, pid: 2 ** 22 + 1 }, self)).toBe(true);
  });
});

describe('folders', () => {
  let root: string;
  beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'journal-owner-'))));
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('are not adopted while their owner lives, even without its socket', async () => {
    const living = await claimFolder(root);
    const own = await claimFolder(root);
    writeFileSync(join(living.path, 'a.seg'), 'records');
    expect(await adoptDead(root, own, isRecordFile)).toBe(0);
    rmSync(join(living.path, 'alive'));
    expect(await adoptDead(root, own, isRecordFile)).toBe(0);
    expect(readdirSync(living.path)).toContain('a.seg');
    await living.release();
    expect(await adoptDead(root, own, isRecordFile)).toBe(1);
    expect(readdirSync(own.path).sort()).toEqual(['a.seg', 'alive', 'owner.json']);
    rmSync(join(own.path, 'a.seg'));
    await own.release();
    expect(readdirSync(root)).toEqual([]);
  });

  it('come with those that their owner had begun to adopt', async () => {
    const first = await claimFolder(root);
    const second = await claimFolder(root);
    writeFileSync(join(first.path, 'a.seg'), '');
    writeFileSync(join(second.path, 'b.seg'), '');
    await first.release();
    await second.release();
    const third = await claimFolder(root);
    renameSync(first.path, join(second.path, `adopting-${first.name}`));
    expect(await adoptDead(root, third, isRecordFile)).toBe(1);
    expect(readdirSync(third.path).sort()).toEqual(['a.seg', 'alive', 'b.seg', 'owner.json']);
  });

  it('are found dead and alive below a path too long for the address of a socket', async () => {
    const deep = join(root, 'x'.repeat(120));
    const living = await claimFolder(deep);
    const dead = await claimFolder(deep);
    writeFileSync(join(dead.path, 'a.seg'), '');
    await dead.release();
    const own = await claimFolder(deep);
    expect(await adoptDead(deep, own, isRecordFile)).toBe(1);
    await living.release();
    await own.release();
  });
});
