import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** An encrypted value, as stored. */
export interface Sealed {
  /** Id of the key. */
  sealedBy: string;
  /** Initialization vector, authentication tag and ciphertext, as base64. */
  sealed: string;
}

/** The value was encrypted with a key that this process does not have, or was changed. */
export class UnreadableSecretError extends Error {
  constructor(readonly keyId: string) {
    super(
      `A stored secret was encrypted with the key "${keyId}", which is not in SECRETS_KEY. Add that key to SECRETS_KEY, or store the secret again.`,
    );
    this.name = 'UnreadableSecretError';
  }
}

/**
 * Parses SECRETS_KEY: keys of 32 bytes as base64, separated by commas. Returns undefined if one of them is not.
 */
export function parseSecretKeys(text: string): readonly Buffer[] | undefined {
  const keys = text.split(',').map((key) => Buffer.from(key.trim(), 'base64'));
  return keys.every((key) => key.length === KEY_BYTES) ? keys : undefined;
}

/** Identifies a key without revealing anything about it. */
const idOf = (key: Buffer): string =>
  createHash('sha256').update('colloquy key id').update(key).digest('hex').slice(0, 12);

/**
 * Encrypts secrets with AES-256-GCM before they are stored. The first key encrypts, the others only decrypt, so
 * that keys can be rotated. Without a key, values are stored as they are.
 */
export class SecretBox {
  private readonly keys: ReadonlyMap<string, Buffer>;
  /** Id of the key that encrypts; undefined without keys. */
  readonly keyId: string | undefined;

  constructor(keys: readonly Buffer[]) {
    this.keys = new Map(keys.map((key) => [idOf(key), key]));
    [this.keyId] = this.keys.keys();
  }

  get keyIds(): string[] {
    return [...this.keys.keys()];
  }

  /**
   * @param context what the value belongs to; `open` requires the same, so that an encrypted value cannot be
   * moved to another owner
   */
  seal(value: unknown, context: string): unknown {
    const key = this.keyId === undefined ? undefined : this.keys.get(this.keyId);
    if (!key || this.keyId === undefined || isSealed(value)) return value;
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(ALGORITHM, key, iv).setAAD(Buffer.from(context));
    const text = Buffer.concat([cipher.update(JSON.stringify(value), 'utf8'), cipher.final()]);
    const sealed = Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64');
    return { sealedBy: this.keyId, sealed } satisfies Sealed;
  }

  /**
   * Returns a value that is not encrypted as it is.
   * @throws UnreadableSecretError
   */
  open(value: unknown, context: string): unknown {
    if (!isSealed(value)) return value;
    const key = this.keys.get(value.sealedBy);
    if (!key) throw new UnreadableSecretError(value.sealedBy);
    const bytes = Buffer.from(value.sealed, 'base64');
    const tagEnd = IV_BYTES + TAG_BYTES;
    try {
      const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, IV_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(IV_BYTES, tagEnd));
      const text = Buffer.concat([decipher.update(bytes.subarray(tagEnd)), decipher.final()]);
      return JSON.parse(text.toString('utf8')) as unknown;
    } catch {
      throw new UnreadableSecretError(value.sealedBy);
    }
  }
}

export function isSealed(value: unknown): value is Sealed {
  if (typeof value !== 'object' || value === null) return false;
  const { sealedBy, sealed } = value as Partial<Record<keyof Sealed, unknown>>;
  return typeof sealedBy === 'string' && typeof sealed === 'string';
}
