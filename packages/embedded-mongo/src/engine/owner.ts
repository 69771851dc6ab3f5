import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { KeySpace, textKey } from './key-layout.js';
import { Store } from './store.js';

const OWNER_KEY = textKey(KeySpace.fact, 'owner');

/** The process that has a store open, as recorded in the store. */
export interface StoreOwner {
  pid: number;
  /**
   * When that process started and in which boot, as process ids are reused. Empty where this is not known.
   */
  startId: string;
  /** The namespace in which `pid` has a meaning, as a container has its own; absent where there are none. */
  pidNamespace?: string;
  /** When the owner was recorded, epoch milliseconds. */
  enteredAt?: number;
  token: string;
  /** Inode of the data file: a copied store does not have the owner of its original. */
  file: number;
  /** Where its server listens; absent until it does. */
  endpoint?: string;
}

/** Asks whether a store's server listens at `endpoint`; decides where the owner's process cannot be seen. */
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

/** Stores open in this process, by their real path: lmdb must not open one twice. */
const openHere = new Map<string, { store?: Store }>();

const dataFile = (dir: string): string => join(dir, 'data.mdb');

/** An owner without an endpoint counts as starting for this time. */
const STARTING_MS = 30_000;

const readText = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};

/**
 * Start of a process in clock ticks since boot, and the boot's id; undefined when there is no such process,
 * '' off Linux.
 */
export const startIdOf = (pid: number): string | undefined => {
  const boot = readText('/proc/sys/kernel/random/boot_id');
  if (boot === undefined) return '';
  const stat = readText(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The second field is the command in brackets and may hold spaces; the start time is the twentieth after
  // it.
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
  // A record without a namespace is from where there are none, or from before it was recorded.
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
   * Opens the store and enters this process as its owner. Throws StoreInUse when a living process, or this
   * one, has it open; the record of a process that is gone is replaced.
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

  /** Lets other processes find the server of this store. */
  async publish(endpoint: string): Promise<void> {
    this.owner = { ...this.owner, endpoint };
    await this.store.write(() => this.store.put(OWNER_KEY, serialize(this.owner)));
  }

  /** Clears the record; to be called after the last write, before the store is closed. */
  async release(): Promise<void> {
    await this.store.write(() => {
      const current = parse(this.store.view.get(OWNER_KEY));
      if (current?.token === this.owner.token) this.store.remove(OWNER_KEY);
    });
  }

  /** After the store is closed. */
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

/** The directory's real path; made when it is not there, so that it has one. */
const pathOf = (dir: string): string => {
  mkdirSync(dir, { recursive: true });
  return realpathSync(dir);
};

/** Compare and set: the record of a dead owner is replaced only if it is unchanged. */
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
 * The living owner of the store in `dir`, or undefined. It opens the store for reading only; a store open in
 * this process is not opened again, its owner is this process.
 */
export const readOwner = async (dir: string, probe?: Probe): Promise<StoreOwner | undefined> => {
  if (!existsSync(dataFile(dir))) return undefined;
  const here = openHere.get(realpathSync(dir))?.store;
  const store = here ?? Store.open(dir, { readOnly: true });
  try {
    const owner = parse(store.view.get(OWNER_KEY));
    if (!owner) return undefined;
    return (await isAlive(owner, statSync(dataFile(dir)).ino, probe)) ? owner : undefined;
  } finally {
    if (!here) await store.close();
  }
};
