import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { say } from './report.mjs';

const heartbeatMs = 5_000;
/**
 * A lock without a heartbeat for this long is stale, even if its owner cannot be checked because it is in
 * another container.
 */
const deadAfterMs = 120_000;
const guardDeadAfterMs = 10_000;
const pollMs = 200;

/** @typedef {{ host: string, pids: number[] }} Owner */

/** A killed process keeps its pid until its parent waits for it; in containers without an init, forever. */
function isZombie(/** @type {number} */ pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    return false;
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

/** @param {string} path @returns {number} milliseconds since the last change, 0 when there is no such file */
function age(path) {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats ? Date.now() - stats.mtimeMs : 0;
}

/** @param {string} lockDir @returns {Owner | undefined} */
function readOwner(lockDir) {
  try {
    return JSON.parse(readFileSync(join(lockDir, 'owner.json'), 'utf8'));
  } catch {
    return undefined;
  }
}

/** @param {string} lockDir @param {Owner} owner */
function writeOwner(lockDir, owner) {
  const draft = join(lockDir, `owner.${process.pid}.tmp`);
  writeFileSync(draft, JSON.stringify(owner));
  renameSync(draft, join(lockDir, 'owner.json'));
}

/** @param {string} lockDir */
function isStale(lockDir) {
  if (age(lockDir) > deadAfterMs) return true;
  const owner = readOwner(lockDir);
  return owner !== undefined && owner.host === hostname() && !owner.pids.some(isAlive);
}

/**
 * Renames the lock before deleting its files. Otherwise another process could rename its own lock onto the
 * directory while it is being emptied, and lose files to the rest of the deletion.
 */
function remove(/** @type {string} */ lockDir) {
  const doomed = `${lockDir}.${process.pid}.old`;
  renameSync(lockDir, doomed);
  rmSync(doomed, { recursive: true, force: true });
}

/**
 * Removes a stale lock. The guard lets only one process do so at a time, so that no process removes the lock
 * of its successor.
 */
function removeStale(lockDir) {
  const guard = `${lockDir}.takeover`;
  try {
    mkdirSync(guard);
  } catch {
    if (age(guard) > guardDeadAfterMs) rmSync(guard, { recursive: true, force: true });
    return;
  }
  try {
    if (isStale(lockDir)) remove(lockDir);
  } finally {
    rmSync(guard, { recursive: true, force: true });
  }
}

/**
 * Renames a directory that already contains the owner into place, so that a lock always has an owner.
 * @returns {boolean}
 */
function tryTake(lockDir, owner) {
  const draft = `${lockDir}.${process.pid}`;
  mkdirSync(draft, { recursive: true });
  writeOwner(draft, owner);
  try {
    renameSync(draft, lockDir);
    return true;
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    const code = /** @type {NodeJS.ErrnoException} */ (error).code ?? '';
    if (['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(code)) return false;
    throw error;
  }
}

/**
 * Runs `work` while no other process holds the lock directory. Waits for a process that holds it, and takes
 * over a lock whose owner is dead.
 *
 * @template T
 * @param {string} lockDir its parent directory exists
 * @param {(lock: { addPid: (pid: number) => void }) => Promise<T>} work `addPid` registers a child that keeps
 * the lock alive even when this process is killed, because the child continues to change files.
 * @returns {Promise<T>}
 */
export async function withLock(lockDir, work) {
  /** @type {Owner} */
  const owner = { host: hostname(), pids: [process.pid] };
  let announced = false;
  while (!tryTake(lockDir, owner)) {
    if (isStale(lockDir)) removeStale(lockDir);
    const holder = readOwner(lockDir)?.pids[0];
    if (holder !== undefined && !announced) {
      announced = true;
      say(`Waiting for process ${holder}, which is installing or building …`);
    }
    await wait(pollMs);
  }
  const heartbeat = setInterval(() => {
    if (existsSync(lockDir)) utimesSync(lockDir, new Date(), new Date());
  }, heartbeatMs);
  try {
    return await work({
      addPid(pid) {
        owner.pids.push(pid);
        writeOwner(lockDir, owner);
      },
    });
  } finally {
    clearInterval(heartbeat);
    // After the machine was suspended, another process may have considered this lock stale and removed it.
    if (readOwner(lockDir)?.pids[0] === process.pid) remove(lockDir);
  }
}
