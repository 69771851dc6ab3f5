import { messageOf } from '../../common/index.js';
import { StartupError } from '../../config/index.js';

/** A backup or restore that cannot be done. The message is written for operators and says what to do. */
export class BackupError extends StartupError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BackupError';
  }
}

export const hasCode = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code));

/** Whether the error, also one of the embedded store, says that no space is left. */
const isDiskFull = (error: unknown): boolean =>
  hasCode(error, 'ENOSPC', 'EDQUOT') || /no space left|disk quota exceeded/i.test(messageOf(error));

/** Replaces errors of a full disk and of permissions by messages that name the directory. */
export function explained(error: unknown, dir: string): unknown {
  if (error instanceof StartupError) return error;
  if (isDiskFull(error))
    return new BackupError(
      `The disk of ${dir} is full. Free some space, or use another directory. No incomplete backup or database was left behind.`,
      { cause: error },
    );
  if (hasCode(error, 'EACCES', 'EPERM', 'EROFS'))
    return new BackupError(
      `${messageOf(error)}. Run this as the user of the service, and make ${dir} writable for it.`,
      { cause: error },
    );
  return error;
}
