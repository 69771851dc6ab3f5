// Whose folder is it, and is that process alive? Each process keeps its journal in a folder of its own, DIR/<uuid>, never used again by
// another run. While it lives it listens on a socket in that folder: the kernel closes it with the process, however that ends, so
// "connection refused" says dead and an accepted connection says alive. No pid can be mistaken for another, and it holds across
// containers that share the directory, where equal pids mean different processes. A stopped or busy process counts as alive, as the
// kernel accepts for it; a heartbeat would declare it dead while it may still write.
// Where a socket cannot be made (some shared file systems), and where one has vanished, the pid with its start time, boot and pid
// namespace decides; when that cannot tell, the folder counts as alive: adopted late is harmless, adopted too early loses records.
import { randomUUID } from 'node:crypto';
import {
  mkdir,
  open,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  rmdir,
  stat,
  writeFile,
} from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { hasCode } from './journal-fs.js';

const SOCKET = 'alive';
const OWNER_FILE = 'owner.json';
const FOLDER_NAME = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const UNFINISHED = '.new-';
const ADOPTING = 'adopting-';

/** Socket addresses hold 104 to 108 bytes, by system. */
const LONGEST_SOCKET_PATH = 100;
const STALE_UNFINISHED_MS = 3_600_000;

export interface OwnerMark {
  pid: number;
  /** Start of the process in clock ticks since the boot; none where there is no /proc. */
  startTicks?: string | undefined;
  bootId?: string | undefined;
  pidNamespace?: string | undefined;
}

export interface OwnFolder {
  /** Its uuid. */
  name: string;
  path: string;
  /** Ends the claim; removes the folder when it holds no records. */
  release(): Promise<void>;
}

const orUndefined = async (reading: Promise<string>): Promise<string | undefined> =>
  reading.then((text) => text.trim()).catch(() => undefined);

/** Start of a process in clock ticks since the boot; undefined when there is none, or no /proc. */
async function startTicksOf(pid: number): Promise<string | undefined> {
  const line = await orUndefined(readFile(`/proc/${pid}/stat`, 'utf8'));
  // The name in brackets may hold spaces and brackets itself; start time is field 22, the 20th after it.
  return line?.slice(line.lastIndexOf(')') + 2).split(' ')[19];
}

export async function ownMark(): Promise<OwnerMark> {
  return {
    pid: process.pid,
    startTicks: await startTicksOf(process.pid),
    bootId: await orUndefined(readFile('/proc/sys/kernel/random/boot_id', 'utf8')),
    pidNamespace: await orUndefined(readlink('/proc/self/ns/pid')),
  };
}

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !hasCode(error, 'ESRCH');
  }
}

/** Whether the process of `mark` is certainly gone, as seen by the process of `self`. */
export async function isGone(mark: OwnerMark, self: OwnerMark): Promise<boolean> {
  if (mark.bootId !== self.bootId) return mark.bootId !== undefined && self.bootId !== undefined;
  if (mark.pidNamespace !== self.pidNamespace) return false;
  if (!processExists(mark.pid)) return true;
  if (mark.startTicks === undefined || self.startTicks === undefined) return false;
  const started = await startTicksOf(mark.pid);
  return started !== undefined && started !== mark.startTicks;
}

/** Calls `use` with an address of `folder`'s socket that is short enough for the system. */
async function withSocketPath<T>(folder: string, use: (path: string) => Promise<T>): Promise<T> {
  const path = join(folder, SOCKET);
  if (Buffer.byteLength(path) <= LONGEST_SOCKET_PATH || process.platform !== 'linux') return use(path);
  const handle = await open(folder, 'r');
  try {
    return await use(`/proc/self/fd/${handle.fd}/${SOCKET}`);
  } finally {
    await handle.close();
  }
}

async function listen(folder: string): Promise<Server | undefined> {
  const server = createServer((socket) => socket.on('error', () => undefined).destroy());
  server.unref();
  try {
    await withSocketPath(
      folder,
      (path) =>
        new Promise<void>((resolve, reject) => {
          server.once('error', reject).listen(path, resolve);
        }),
    );
    server.on('error', () => undefined);
    return server;
  } catch {
    return undefined;
  }
}

/** alive: someone accepts; dead: nobody can any more; unknown: there is no socket to ask. */
function knock(folder: string): Promise<'alive' | 'dead' | 'unknown'> {
  return withSocketPath(
    folder,
    (path) =>
      new Promise<'alive' | 'dead' | 'unknown'>((resolve) => {
        const socket = connect(path);
        socket.once('connect', () => {
          resolve('alive');
          socket.destroy();
        });
        socket.on('error', (error) => {
          if (hasCode(error, 'ECONNREFUSED')) resolve('dead');
          else resolve(hasCode(error, 'ENOENT', 'ENOTSOCK') ? 'unknown' : 'alive');
        });
      }),
  );
}

async function readMark(folder: string): Promise<OwnerMark | undefined> {
  try {
    const mark: unknown = JSON.parse(await readFile(join(folder, OWNER_FILE), 'utf8'));
    return typeof mark === 'object' && mark !== null && 'pid' in mark && typeof mark.pid === 'number'
      ? (mark as OwnerMark)
      : undefined;
  } catch {
    return undefined;
  }
}

async function isDead(folder: string, self: OwnerMark): Promise<boolean> {
  const answer = await knock(folder);
  if (answer !== 'unknown') return answer === 'dead';
  // A living owner's mark is always whole, as the folder gets its name after it; one that is not was cut by a crash of the machine.
  const mark = await readMark(folder);
  return !mark || isGone(mark, self);
}

/** Makes a folder of this process. It gets its name only when its owner can be asked, so nobody sees it half made. */
export async function claimFolder(root: string): Promise<OwnFolder> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  const name = randomUUID();
  const unfinished = join(root, `${UNFINISHED}${name}`);
  const path = join(root, name);
  await mkdir(unfinished, { mode: 0o700 });
  await writeFile(join(unfinished, OWNER_FILE), JSON.stringify(await ownMark()), { mode: 0o600 });
  const server = await listen(unfinished);
  await rename(unfinished, path);
  return {
    name,
    path,
    async release() {
      const isEmpty = (await readdir(path)).every((entry) => entry === SOCKET || entry === OWNER_FILE);
      if (isEmpty) await removeShell(path);
      if (server) await new Promise<void>((resolve) => server.close(() => resolve()));
      // Nobody is to wait for the end of this process: without its mark, a folder without a living socket is free.
      if (!isEmpty) await rm(join(path, OWNER_FILE), { force: true });
    },
  };
}

/** Removes a folder without its records' files; one that still holds something stays. */
async function removeShell(folder: string): Promise<void> {
  await rm(join(folder, SOCKET), { force: true });
  await rm(join(folder, OWNER_FILE), { force: true });
  try {
    await rmdir(folder);
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTEMPTY', 'EEXIST')) throw error;
  }
}

/** Moves the files of a folder below `own`, and of those that it was adopting itself, into `own`. */
async function unpack(folder: string, own: string, isRecordFile: (name: string) => boolean): Promise<void> {
  for (const entry of (await readdir(folder)).sort()) {
    if (entry.startsWith(ADOPTING)) await unpack(join(folder, entry), own, isRecordFile);
    else if (isRecordFile(entry)) await rename(join(folder, entry), join(own, entry));
  }
  await removeShell(folder);
}

/**
 * Moves the records' files of dead owners below `root` into `own`. A folder is taken by one rename, which one process alone can win;
 * what a process that died half way had taken is inside its own folder and comes along.
 * @returns how many folders were adopted
 */
export async function adoptDead(
  root: string,
  own: OwnFolder,
  isRecordFile: (name: string) => boolean,
): Promise<number> {
  const self = await ownMark();
  let adopted = 0;
  for (const entry of await readdir(own.path)) {
    if (entry.startsWith(ADOPTING)) await unpack(join(own.path, entry), own.path, isRecordFile);
  }
  for (const name of await readdir(root)) {
    const folder = join(root, name);
    if (name.startsWith(UNFINISHED)) await removeUnfinished(folder);
    if (!FOLDER_NAME.test(name) || name === own.name) continue;
    try {
      if (!(await isDead(folder, self))) continue;
      const taken = join(own.path, `${ADOPTING}${name}`);
      await rename(folder, taken);
      await unpack(taken, own.path, isRecordFile);
      adopted += 1;
    } catch (error) {
      // Another process was faster.
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }
  return adopted;
}

async function removeUnfinished(folder: string): Promise<void> {
  try {
    const { mtimeMs } = await stat(folder);
    if (Date.now() - mtimeMs > STALE_UNFINISHED_MS) await removeShell(folder);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}
