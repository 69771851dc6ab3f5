import { randomBytes } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { messageOf } from '../common/index.js';

/**
 * A start that cannot continue. The program prints only the message, which is written for operators, and
 * exits with code 1.
 */
export class StartupError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartupError';
  }
}

const STICKY = 0o1000;
const FOR_OTHERS = 0o077;

/** What this service and its earlier versions store in DATA_DIR. */
const contents = ['admin-api-key', 'store', 'journal', 'archives'];

/**
 * Takes the permissions of group and others from a path of this user, and from everything in it. Leaves alone
 * what belongs to another user, and links.
 */
function restrict(path: string, isWhole = true): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found || found.isSymbolicLink() || found.uid !== process.getuid?.()) return;
  if ((found.mode & FOR_OTHERS) !== 0) {
    try {
      chmodSync(path, found.mode & 0o700);
    } catch {
      // Some file systems have no permissions.
    }
  }
  if (isWhole && found.isDirectory()) for (const name of readdirSync(path)) restrict(join(path, name));
}

/** Makes the data directory private to this user, except one that also serves other purposes, such as /tmp. */
function makePrivate(path: string): void {
  const isShared =
    (lstatSync(path).mode & STICKY) !== 0 || [resolve('/'), homedir(), process.cwd()].includes(path);
  if (!isShared) restrict(path, false);
  for (const name of contents) restrict(join(path, name));
}

/** In DATA_DIR while a backup is restored into it, and after a restore that was interrupted. */
export const RESTORE_IN_PROGRESS = '.restoring';

/** The collection that a database contains until a restore into it is complete. */
export const RESTORE_MARKER = 'restore_in_progress';

/** A restore is complete as soon as there is a store. */
function requireCompleteRestore(path: string): void {
  if (existsSync(join(path, RESTORE_IN_PROGRESS)) && !existsSync(join(path, 'store')))
    throw new StartupError(
      `A backup is being restored into ${path}, or a restore was interrupted. Wait for it, or run the same "npm run restore" again. To start with an empty database instead, delete ${join(path, RESTORE_IN_PROGRESS)}.`,
    );
}

/**
 * Creates the data directory if needed, makes it and what this service stores in it accessible to this user
 * alone, checks that it is writable, and returns its absolute path.
 * @throws StartupError that names the directory and the setting, also if a restore into it is incomplete
 */
export function prepareDataDir(dataDir: string): string {
  const path = resolve(dataDir);
  requireCompleteRestore(path);
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    makePrivate(path);
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    const probe = join(path, '.write-probe');
    writeFileSync(probe, '', { mode: 0o600 });
    rmSync(probe);
  } catch (error) {
    throw new StartupError(
      `The data directory ${path} cannot be written (${messageOf(error)}). Make it writable, or set DATA_DIR to another folder.`,
      { cause: error },
    );
  }
  return path;
}

/** The file that holds the admin key of a development machine. */
export const adminKeyFile = (dataDir: string): string => join(dataDir, 'admin-api-key');

const unusableKeyFile = (file: string, error: unknown): StartupError =>
  new StartupError(
    `The admin key in ${file} cannot be read or written (${messageOf(error)}). Fix the owner of the file, or set ADMIN_API_KEY.`,
    { cause: error },
  );

/**
 * Returns the admin key of a development machine. It is generated once and stored in the data directory, so
 * that it survives restarts.
 * @throws StartupError when the file cannot be used
 */
export function developmentAdminKey(dataDir: string): { key: string; file: string } {
  const file = adminKeyFile(prepareDataDir(dataDir));
  try {
    const key = readFileSync(file, 'utf8').trim();
    if (key.length >= 16) return { key, file };
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (!isMissing) throw unusableKeyFile(file, error);
  }
  const key = `admin_${randomBytes(24).toString('base64url')}`;
  try {
    writeFileSync(file, `${key}\n`, { mode: 0o600 });
  } catch (error) {
    throw unusableKeyFile(file, error);
  }
  return { key, file };
}
