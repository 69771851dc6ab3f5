// Determines whether the process that owns a folder of the old journal is still running. Such a process
// listens on a socket in the folder, which the kernel closes when the process ends. A refused connection
// means that it has ended, an accepted one that it is running. Without a socket (some shared file systems do
// not support them), its pid decides, together with start time, boot id and pid namespace. If that is
// inconclusive too, the process counts as running.
import { open, readFile, readlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';

const SOCKET = 'alive';
const OWNER_FILE = 'owner.json';

/** Socket addresses are limited to 104 to 108 bytes, depending on the operating system. */
const LONGEST_SOCKET_PATH = 100;

interface OwnerMark {
  pid: number;
  startTicks?: string | undefined;
  bootId?: string | undefined;
  pidNamespace?: string | undefined;
}

export const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && codes.includes(String(error.code));

const orUndefined = (reading: Promise<string>): Promise<string | undefined> =>
  reading.then((text) => text.trim()).catch(() => undefined);

async function startTicksOf(pid: number): Promise<string | undefined> {
  const line = await orUndefined(readFile(`/proc/${pid}/stat`, 'utf8'));
  // The name in parentheses may contain spaces and parentheses. The start time is field 22, the 20th after
  // the name.
  return line?.slice(line.lastIndexOf(')') + 2).split(' ')[19];
}

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !hasCode(error, 'ESRCH');
  }
}

async function isGone({ pid, startTicks, ...mark }: OwnerMark): Promise<boolean> {
  const bootId = await orUndefined(readFile('/proc/sys/kernel/random/boot_id', 'utf8'));
  if (mark.bootId !== bootId) return mark.bootId !== undefined && bootId !== undefined;
  if (mark.pidNamespace !== (await orUndefined(readlink('/proc/self/ns/pid')))) return false;
  if (!processExists(pid)) return true;
  const started = await startTicksOf(pid);
  return startTicks !== undefined && started !== undefined && started !== startTicks;
}

/** Calls `use` with a path of the folder's socket that is short enough for the operating system. */
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

const askSocket = (path: string): Promise<'running' | 'ended' | 'unknown'> =>
  new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      resolve('running');
      socket.destroy();
    });
    socket.on('error', (error) => {
      if (hasCode(error, 'ECONNREFUSED')) resolve('ended');
      else resolve(hasCode(error, 'ENOENT', 'ENOTSOCK') ? 'unknown' : 'running');
    });
  });

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

export async function isOwnerRunning(folder: string): Promise<boolean> {
  const state = await withSocketPath(folder, askSocket);
  if (state !== 'unknown') return state === 'running';
  // A running owner's file is always complete; an owner that shut down cleanly has removed it.
  const mark = await readMark(folder);
  return mark !== undefined && !(await isGone(mark));
}
