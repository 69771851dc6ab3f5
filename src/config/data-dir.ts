import { randomBytes } from 'node:crypto';
import { accessSync, constants, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

/**
 * Creates the data directory if needed, checks that it is writable, and returns its absolute path.
 * @throws StartupError that names the directory and the setting
 */
export function prepareDataDir(dataDir: string): string {
  const path = resolve(dataDir);
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
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
