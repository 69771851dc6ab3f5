import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { hasCode } from './backup-error.js';

/** How often an owner shows that it is alive. */
export const HEARTBEAT_MS = 5000;
/** An owner on another machine or in another container that has not been seen for this long has ended. */
export const DEAD_AFTER_MS = 120_000;

/** Who has claimed something, as it is stored with the claim. */
export interface Owner {
  /** Of this claim. */
  id: string;
  host: string;
  pid: number;
}

/** Ids of the claims of this process. Another claim with its process id is of an earlier process. */
const heldHere = new Set<string>();

/** The owner of a new claim of this process, which holds it until `letGo`. */
export function newOwner(): Owner {
  const owner = { id: randomUUID(), host: hostname(), pid: process.pid };
  heldHere.add(owner.id);
  return owner;
}

export const letGo = ({ id }: Owner): void => void heldHere.delete(id);

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, 'EPERM');
  }
}

/** @param silentMs for how long the owner has not been seen */
export function isAlive(owner: Owner, silentMs: number): boolean {
  if (heldHere.has(owner.id)) return true;
  if (owner.host === hostname() && (owner.pid === process.pid || !isRunning(owner.pid))) return false;
  return Math.abs(silentMs) <= DEAD_AFTER_MS;
}

/** Names an owner in messages. */
export const described = (owner: Owner | undefined): string =>
  `process ${owner?.pid ?? 'unknown'} on ${owner?.host ?? 'unknown'}`;
