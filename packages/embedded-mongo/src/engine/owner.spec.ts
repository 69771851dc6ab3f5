import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEngine } from './engine.js';
import { KeySpace, textKey } from './key-layout.js';
import { readOwner, startIdOf, StoreInUse } from './owner.js';
import type { StoreOwner } from './owner.js';
import { Store } from './store.js';
import { TestStore } from './testing/open-temp.js';

/** Records an owner as another process would. */
const enterOwner = async (dir: string, owner: Omit<StoreOwner, 'file' | 'token'>): Promise<void> => {
  const store = Store.open(dir);
  const record: StoreOwner = { ...owner, token: 'other', file: statSync(join(dir, 'data.mdb')).ino };
  await store.write(() => store.put(textKey(KeySpace.fact, 'owner'), Buffer.from(JSON.stringify(record))));
  await store.close();
};

const startSleeper = async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000); console.log("up")']);
  await once(child.stdout, 'data');
  return child;
};

describe('the owner of a store', () => {
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'owner-'));
  });

  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('is a single engine within a process', async () => {
    const engine = await openEngine({ dir });
    await expect(openEngine({ dir })).rejects.toThrow(StoreInUse);
    await engine.close();
    const again = await openEngine({ dir });
    await again.close();
  });

  it('can be found with its endpoint until it closes', async () => {
    const engine = await openEngine({ dir });
    await engine.setEndpoint('127.0.0.1:4711');
    expect(await readOwner(dir)).toMatchObject({ pid: process.pid, endpoint: '127.0.0.1:4711' });
    await engine.close();
    expect(await readOwner(dir)).toBeUndefined();
    expect(await readOwner(join(dir, 'missing'))).toBeUndefined();
  });

  it('is reported to other processes while it runs and replaced once it has exited', async () => {
    const child = await startSleeper();
    try {
      await enterOwner(dir, {
        pid: child.pid!,
        startId: startIdOf(child.pid!)!,
        endpoint: '/run/other.sock',
      });
      expect(await readOwner(dir)).toMatchObject({ pid: child.pid, endpoint: '/run/other.sock' });
      await expect(openEngine({ dir, probe: () => Promise.resolve(true) })).rejects.toThrow(
        new RegExp(`in use by process ${String(child.pid)}.*/run/other.sock`),
      );
    } finally {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }
    expect(await readOwner(dir)).toBeUndefined();
    const engine = await openEngine({ dir, probe: () => Promise.resolve(false) });
    expect(await readOwner(dir)).toMatchObject({ pid: process.pid });
    await engine.close();
  });

  it('is stale when its process id was reused', async () => {
    await enterOwner(dir, { pid: process.pid, startId: 'another-boot/1' });
    const engine = await openEngine({ dir });
    expect((await readOwner(dir))?.token).not.toBe('other');
    await engine.close();
  });

  describe('in another PID namespace', () => {
    const elsewhere = { pid: process.pid, startId: 'boot/1', pidNamespace: 'pid:[1]' };
    const endpoint = 'mongodb://%2Frun%2Fother.sock/?x';

    it('is alive as long as its endpoint responds, regardless of local process ids', async () => {
      await enterOwner(dir, { ...elsewhere, startId: startIdOf(process.pid)!, endpoint, enteredAt: 0 });
      const asked: string[] = [];
      const probe = (answer: boolean) => (uri: string) => {
        asked.push(uri);
        return Promise.resolve(answer);
      };
      expect(await readOwner(dir, probe(true))).toMatchObject({ token: 'other' });
      await expect(openEngine({ dir, probe: probe(true) })).rejects.toThrow(StoreInUse);
      expect(await readOwner(dir, probe(false))).toBeUndefined();
      const engine = await openEngine({ dir, probe: probe(false) });
      await engine.close();
      expect(asked).toEqual([endpoint, endpoint, endpoint, endpoint]);
    });

    it('counts as starting for 30 seconds while it has no endpoint', async () => {
      const probe = () => Promise.reject(new Error('there is nothing to ask'));
      await enterOwner(dir, { ...elsewhere, enteredAt: Date.now() });
      await expect(openEngine({ dir, probe })).rejects.toThrow(StoreInUse);
      await enterOwner(dir, { ...elsewhere, enteredAt: Date.now() - 30_001 });
      const engine = await openEngine({ dir, probe });
      await engine.close();
    });
  });

  it('does not own copies of the store', async () => {
    const store = await TestStore.open({}, dir);
    const ns = { db: 'd', coll: 'c' };
    await store.insert(ns, [{ _id: 1 }, { _id: 2 }]);
    const copy = mkdtempSync(join(tmpdir(), 'copy-'));
    try {
      await store.engine.backup(join(copy, 'hot'));
      cpSync(dir, join(copy, 'cold'), { recursive: true });
      for (const name of ['hot', 'cold']) {
        const restored = await TestStore.open({}, join(copy, name));
        expect(await restored.ids(ns)).toEqual([1, 2]);
        await restored.destroy();
      }
      await expect(store.engine.backup(dir)).rejects.toMatchObject({ code: 72 });
    } finally {
      await store.engine.close();
      rmSync(copy, { recursive: true, force: true });
    }
  });
});
