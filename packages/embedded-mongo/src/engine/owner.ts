import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, readlinkSync, realpathSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { KeySpace, textKey } from './key-layout.js';
import { makePrivate } from './private-files.js';
import { Store } from './store.js';

const OWNER_KEY = textKey(KeySpace.fact, 'owner');

/** The process that has a store open, as recorded in the store. */
export interface StoreOwner {
  pid: number;
  /**
   * Identifies when and in which boot the process started, because process ids are reused. Empty if unknown.
   */
  startId: string;
  /**
   * The PID namespace of `pid`, since containers have their own. Absent on systems without PID namespaces.
   */
  pidNamespace?: string;
  /** When the owner was recorded, epoch milliseconds. */
  enteredAt?: number;
  token: string;
  /**
   * Inode of the data file. A copied store has a different inode, so it does not keep the owner of the
   * original.
   */
  file: number;
  /** Where the owner's server listens. Absent until it does. */
  endpoint?: string;
}

/**
 * Checks whether a store's server listens at `endpoint`. Used when the owner's process is not visible from
 * here.
 */
export type Probe = (endpoint: string) => Promise<boolean>;

export class StoreInUse extends Error {
  constructor(
    readonly dir: string,
    readonly owner: StoreOwner,
  ) {
    super(
      `the store in ${dir} is in use by process ${owner.pid}` +
        (owner.endpoint ? `, which serves it at ${owner.endpoint}` : ''),
    );
    this.name = 'StoreInUse';
  }
}

/** Stores open in this process by their real path. lmdb must not open a store twice. */
const openHere = new Map<string, { store?: Store }>();

const dataFile = (dir: string): string => join(dir, 'data.mdb');

/** How long an owner without an endpoint counts as starting. */
const STARTING_MS = 30_000;

const readText = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};

/**
 * Start time of a process in clock ticks since boot, with the boot's id. Undefined if there is no such
 * process, '' on systems other than Linux.
 */
export const startIdOf = (pid: number): string | undefined => {
  const boot = readText('/proc/sys/kernel/random/boot_id');
  if (boot === undefined) return '';
  const stat = readText(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The second field is the command in parentheses, which may contain spaces. The start time is the 20th
  // field after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // A zombie has no open files.
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return `${boot.trim()}/${fields[19] ?? ''}`;
};

const processExists = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
};

const pidNamespace = (): string | undefined => {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return undefined;
  }
};

const isAlive = async (owner: StoreOwner, file: number, probe: Probe | undefined): Promise<boolean> => {
  if (owner.file !== file) return false;
  // A record without a namespace comes from a system without PID namespaces or from an older version.
  if (owner.pidNamespace === undefined || owner.pidNamespace === pidNamespace()) {
    const startId = startIdOf(owner.pid);
    if (startId !== '') return startId === owner.startId;
    if (!processExists(owner.pid)) return false;
  }
  if (owner.endpoint !== undefined) return probe ? probe(owner.endpoint) : true;
  return owner.enteredAt !== undefined && Math.abs(Date.now() - owner.enteredAt) < STARTING_MS;
};

const parse = (bytes: Uint8Array | undefined): StoreOwner | undefined =>
  bytes && (JSON.parse(Buffer.from(bytes).toString('utf8')) as StoreOwner);

const serialize = (owner: StoreOwner): Uint8Array => Buffer.from(JSON.stringify(owner), 'utf8');

/** This process's ownership of a store. */
export class Ownership {
  private constructor(
    private readonly store: Store,
    private readonly path: string,
    private owner: StoreOwner,
  ) {}

  /**
   * Opens the store and records this process as its owner. Throws StoreInUse if a running process, or this
   * one, has it open. Replaces the record of a process that has exited.
   */
  static async acquire(
    dir: string,
    open: (dir: string) => Store,
    probe?: Probe,
  ): Promise<{ store: Store; ownership: Ownership }> {
    const own = self();
    const path = pathOf(dir);
    if (openHere.has(path)) throw new StoreInUse(dir, own);
    openHere.set(path, {});
    let store: Store | undefined;
    try {
      store = open(dir);
      openHere.set(path, { store });
      own.file = statSync(dataFile(dir)).ino;
      await enter(store, dir, own, probe);
      return { store, ownership: new Ownership(store, path, own) };
    } catch (error) {
      openHere.delete(path);
      await store?.close();
      throw error;
    }
  }

  /** Records the endpoint, so that other processes can find the server of this store. */
  async publish(endpoint: string): Promise<void> {
    this.owner = { ...this.owner, endpoint };
    await this.store.write(() => this.store.put(OWNER_KEY, serialize(this.owner)));
  }

  /** Clears the record. Call it after the last write and before the store is closed. */
  async release(): Promise<void> {
    await this.store.write(() => {
      const current = parse(this.store.view.get(OWNER_KEY));
      if (current?.token === this.owner.token) this.store.remove(OWNER_KEY);
    });
  }

  /** Call it after the store is closed. */
  forget(): void {
    openHere.delete(this.path);
  }
}

const self = (): StoreOwner => {
  const namespace = pidNamespace();
  return {
    pid: process.pid,
    startId: startIdOf(process.pid) ?? '',
    ...(namespace === undefined ? {} : { pidNamespace: namespace }),
    enteredAt: Date.now(),
    token: randomUUID(),
    file: 0,
  };
};

/**
 * Returns the directory's real path. Creates the directory first if needed, because a missing one has no real
 * path.
 */
const pathOf = (dir: string): string => {
  makePrivate(dir);
  return realpathSync(dir);
};

/** Compare-and-set: replaces the record of a dead owner only if it is unchanged. */
const enter = async (store: Store, dir: string, own: StoreOwner, probe: Probe | undefined): Promise<void> => {
  for (;;) {
    const found = parse(store.view.get(OWNER_KEY));
    if (found && (await isAlive(found, own.file, probe))) throw new StoreInUse(dir, found);
    const entered = await store.write(() => {
      const current = parse(store.view.get(OWNER_KEY));
      if (current?.token !== found?.token) return false;
      store.put(OWNER_KEY, serialize(own));
      return true;
    });
    if (entered) return;
  }
};

/**
 * Returns the live owner of the store in `dir`, or undefined. Opens the store read-only. A store that is open
 * in this process is not opened again; its owner is this process.
 */
export const readOwner = async (dir: string, probe?: Probe): Promise<StoreOwner | undefined> => {
  if (!existsSync(dataFile(dir))) return undefined;
  return withReadableStore(dir, async (store) => {
    const owner = parse(store.view.get(OWNER_KEY));
    if (!owner) return undefined;
    return (await isAlive(owner, statSync(dataFile(dir)).ino, probe)) ? owner : undefined;
  });
};

/** Opens an existing store read-only for `work`, or uses the one that is open in this process. */
export const withReadableStore = async <T>(dir: string, work: (store: Store) => Promise<T>): Promise<T> => {
  const here = openHere.get(realpathSync(dir))?.store;
  const store = here ?? Store.open(dir, { readOnly: true });
  try {
    return await work(store);
  } finally {
    if (!here) await store.close();
  }
};

/** Removes the owner from a copy of a store, and the lock file, which a copy does not need. */
export const forgetOwner = async (dir: string): Promise<void> => {
  const store = Store.open(dir);
  try {
    if (store.view.get(OWNER_KEY)) await store.write(() => store.remove(OWNER_KEY));
  } finally {
    await store.close();
  }
  rmSync(join(dir, 'lock.mdb'), { force: true });
};
