import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const STICKY = 0o1000;
const FOR_OTHERS = 0o077;

/** Files of a store, besides its socket. */
const names = ['data.mdb', 'lock.mdb'];

/**
 * Takes the permissions of group and others from a file or directory of this user. Leaves alone what belongs
 * to another user, a directory that is shared on purpose, such as /tmp, and what does not exist.
 */
function restrict(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  const isOurs = found?.uid === process.getuid?.();
  if (!found || !isOurs || (found.mode & STICKY) !== 0 || (found.mode & FOR_OTHERS) === 0) return;
  try {
    chmodSync(path, found.mode & 0o700);
  } catch {
    // Some file systems have no permissions.
  }
}

/**
 * Creates a directory that only this user can use. One that was there before is restricted to this user, with
 * the store's files in it, whatever their modes were.
 */
export function makePrivate(dir: string): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  for (const path of [dir, ...names.map((name) => join(dir, name))]) restrict(path);
}
