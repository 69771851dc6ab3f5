import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { developmentAdminKey, prepareDataDir } from './data-dir.js';

const modeOf = (path: string): string => (statSync(path).mode & 0o7777).toString(8);

describe('the data directory', () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'colloquy-data-'));
  });
  afterEach(() => {
    rmSync(root, { recursive: true, force: true });
  });

  it('is created for its user alone, with every folder above it', () => {
    const dir = prepareDataDir(join(root, 'a', 'b'));
    expect([modeOf(join(root, 'a')), modeOf(dir)]).toEqual(['700', '700']);
    expect(modeOf(developmentAdminKey(dir).file)).toBe('600');
  });

  it('becomes private, with all that is stored in it, if it was there before', () => {
    chmodSync(root, 0o755);
    mkdirSync(join(root, 'store'));
    chmodSync(join(root, 'store'), 0o777);
    for (const name of ['admin-api-key', 'store/data.mdb', 'store/lock.mdb']) {
      writeFileSync(join(root, name), 'x'.repeat(20));
      chmodSync(join(root, name), 0o664);
    }
    prepareDataDir(root);
    expect(['.', 'store'].map((name) => modeOf(join(root, name)))).toEqual(['700', '700']);
    for (const name of ['admin-api-key', 'store/data.mdb', 'store/lock.mdb'])
      expect([name, modeOf(join(root, name))]).toEqual([name, '600']);
  });

  it('is refused while a restore into it is incomplete', () => {
    mkdirSync(join(root, '.restoring'));
    expect(() => prepareDataDir(root)).toThrow(/being restored into .*npm run restore" again/);
    // With the store, the restore is complete, and only its directory was not yet deleted.
    mkdirSync(join(root, 'store'));
    expect(prepareDataDir(root)).toBe(root);
  });

  it('leaves a shared folder, what else is in it, and the targets of links as they are', () => {
    chmodSync(root, 0o1777);
    const other = join(root, 'other');
    writeFileSync(other, '');
    chmodSync(other, 0o644);
    symlinkSync(other, join(root, 'admin-api-key'));
    prepareDataDir(root);
    expect([modeOf(root), modeOf(other)]).toEqual(['1777', '644']);
  });
});
