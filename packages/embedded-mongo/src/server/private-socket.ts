import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Maximum length of a unix socket path that all platforms support, bytes. */
export const maxSocketPath = 100;

const SOCKET = 'mongodb.sock';

export const fits = (path: string): boolean => Buffer.byteLength(path) <= maxSocketPath;

/** The driver for Node.js decodes the path in a URI twice, so it must not contain a percent sign. */
const isUsable = (path: string): boolean => fits(path) && !path.includes('%');

/** Whether only this user can use the directory. False for a link, which somebody else may have made. */
function isPrivate(dir: string): boolean {
  const found = lstatSync(dir);
  return found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o077) === 0;
}

/** Creates a directory for this user alone; its name is random if somebody else has taken `dir`. */
function privateDirectory(dir: string): string {
  try {
    mkdirSync(dir, { mode: 0o700 });
    return dir;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return isPrivate(dir) ? dir : mkdtempSync(`${dir}-`);
}

/**
 * Returns the path of the socket of the store in `dir`: in `dir` or, if that path cannot be used for a socket, in
 * a directory of the system's temporary folder that only this user can use. The name of that directory is
 * derived from `dir`, so that a process that was killed leaves at most one behind.
 */
export function socketPathFor(dir: string, temporary: string = tmpdir()): string {
  const path = join(dir, SOCKET);
  if (isUsable(path)) return path;
  const name = `embedded-mongo-${process.getuid?.() ?? ''}-${createHash('sha256').update(dir).digest('hex').slice(0, 16)}`;
  // The longest path, of a directory with a random suffix.
  const isShort = isUsable(join(temporary, `${name}-XXXXXX`, SOCKET));
  return join(privateDirectory(join(isShort ? temporary : '/tmp', name)), SOCKET);
}

/** Removes the directory of a socket in the temporary folder, after the socket was removed. */
export function removeSocketDirectory(socketPath: string, dir: string): void {
  const parent = join(socketPath, '..');
  if (parent === dir) return;
  try {
    rmdirSync(parent);
  } catch {
    // Another process may have opened the same store in the meantime.
  }
}
