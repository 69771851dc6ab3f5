import { createHash, hkdfSync } from 'node:crypto';
import { parseSecretKeys } from '../../common/index.js';
import { BackupError } from './backup-error.js';

const KEY_BYTES = 32;

/** Identifies a key without revealing anything about it. */
const idOf = (key: Buffer): string =>
  createHash('sha256').update('colloquy backup key id').update(key).digest('hex').slice(0, 12);

/** The keys of BACKUP_KEY. The first encrypts, the others only decrypt. */
export class BackupKeys {
  private readonly keys: ReadonlyMap<string, Buffer>;
  /** Id of the key that encrypts; null without keys. */
  readonly current: string | null;

  constructor(keys: readonly Buffer[]) {
    this.keys = new Map(keys.map((key) => [idOf(key), key]));
    this.current = this.keys.keys().next().value ?? null;
  }

  static fromSetting(text: string | undefined): BackupKeys {
    return new BackupKeys(text === undefined ? [] : (parseSecretKeys(text) ?? []));
  }

  /**
   * Derives a key for one purpose, so that no two files share one.
   * @throws BackupError if there is no such key in BACKUP_KEY
   */
  derive(keyId: string, salt: Buffer, purpose: string): Buffer {
    const key = this.keys.get(keyId);
    if (!key)
      throw new BackupError(
        this.keys.size === 0
          ? 'The backup is encrypted, and BACKUP_KEY is not set. Set BACKUP_KEY to the key with which it was made.'
          : `The backup is encrypted with the key "${keyId}", which is not in BACKUP_KEY. Add that key to BACKUP_KEY, after the current one and a comma.`,
      );
    return Buffer.from(hkdfSync('sha256', key, salt, `colloquy backup ${purpose}`, KEY_BYTES));
  }
}
