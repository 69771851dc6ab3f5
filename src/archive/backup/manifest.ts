import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../../common/index.js';
import { BackupError, hasCode } from './backup-error.js';
import type { BackupKeys } from './backup-keys.js';

export const MANIFEST = 'manifest.json';
const FORMAT = 'colloquy-backup';
export const FORMAT_VERSION = 1;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const size = z.number().int().nonnegative();

/** A path in the backup that cannot leave it. */
const relativePath = z
  .string()
  .min(1)
  .refine(
    (path) => !path.startsWith('/') && !path.split(/[\\/]/).includes('..'),
    'is not a path in the backup',
  );

const storedFile = z.object({
  name: relativePath,
  role: z.enum(['store', 'collection', 'archive']),
  /** Size and SHA-256 of the file as it is stored. */
  bytes: size,
  sha256,
  /** Size and SHA-256 of its original content. */
  plainBytes: size,
  plainSha256: sha256,
  compressed: z.boolean(),
  encrypted: z.boolean(),
  keyId: z.string().optional(),
  /** Of an archive: its path in ARCHIVE_DIR, and what shows that it has not changed since. */
  source: z.object({ path: relativePath, bytes: size, mtimeMs: z.number() }).optional(),
});

const storedCollection = z.object({
  database: z.string().min(1),
  name: z.string().min(1),
  count: size,
  /** SHA-256 of the raw documents in the order of _id. */
  sha256,
  /** Of a dump of MongoDB: its file, and options and indexes as canonical Extended JSON. */
  file: relativePath.optional(),
  options: z.string().optional(),
  indexes: z.string().optional(),
});

const manifestSchema = z.object({
  format: z.literal(FORMAT),
  formatVersion: z.literal(FORMAT_VERSION),
  /** The version of Colloquy that made the backup. */
  colloquy: z.string(),
  kind: z.enum(['embedded', 'mongodb']),
  /** Not later than the state of the database in this backup. */
  createdAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  /** When a restore of it into a scratch store was compared with this manifest; null if never. */
  verifiedAt: z.iso.datetime().nullable(),
  database: z.string(),
  collections: z.array(storedCollection),
  files: z.array(storedFile),
});

export type StoredFile = z.infer<typeof storedFile>;
export type StoredCollection = z.infer<typeof storedCollection>;
export type Manifest = z.infer<typeof manifestSchema>;
export type BackupKind = Manifest['kind'];

export const manifestHead = { format: FORMAT, formatVersion: FORMAT_VERSION } as const;

/**
 * Proof that a manifest was not changed: its SHA-256, or with a key an HMAC of it, which nobody without the
 * key can make.
 */
const sealSchema = z.object({ keyId: z.string().optional(), salt: z.string().optional(), value: sha256 });
type Seal = z.infer<typeof sealSchema>;

function sealValue(text: string, keyId: string | undefined, salt: string, keys: BackupKeys): string {
  return keyId === undefined
    ? createHash('sha256').update(text).digest('hex')
    : createHmac('sha256', keys.derive(keyId, Buffer.from(salt, 'base64'), 'manifest'))
        .update(text)
        .digest('hex');
}

export async function writeManifest(dir: string, manifest: Manifest, keys: BackupKeys): Promise<void> {
  const keyId = keys.current ?? undefined;
  const salt = randomBytes(32).toString('base64');
  const value = sealValue(JSON.stringify(manifest), keyId, salt, keys);
  const seal: Seal = { ...(keyId !== undefined && { keyId, salt }), value };
  await writeFile(join(dir, MANIFEST), `${JSON.stringify({ ...manifest, seal }, undefined, 2)}\n`, {
    flag: 'wx',
    mode: 0o600,
    flush: true,
  });
}

const damaged = (path: string, reason: string): BackupError =>
  new BackupError(`${path} is damaged (${reason}). Use another backup, or another copy of this one.`);

function parse(text: string, path: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch (error) {
    throw damaged(path, messageOf(error));
  }
  throw damaged(path, 'it is not an object');
}

async function readText(dir: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR'))
      throw new BackupError(
        `${dir} is not a backup: it has no ${MANIFEST}. Name the directory of one backup, or the directory in which backups are made.`,
      );
    throw error;
  }
}

/** Reads a manifest without checking that it was not changed. @throws BackupError */
async function readUnchecked(dir: string): Promise<{ manifest: Manifest; text: string; seal: Seal }> {
  const path = join(dir, MANIFEST);
  const { seal, ...content } = parse(await readText(dir, path), path);
  if (content['format'] !== FORMAT)
    throw new BackupError(`${path} is not the manifest of a backup of Colloquy.`);
  if (content['formatVersion'] !== FORMAT_VERSION)
    throw new BackupError(
      `The backup in ${dir} has format version ${JSON.stringify(content['formatVersion'])}, but this version of Colloquy only knows ${FORMAT_VERSION}. Restore it with the version that made it (${JSON.stringify(content['colloquy'])}) or a newer one.`,
    );
  const manifest = manifestSchema.safeParse(content);
  const parsedSeal = sealSchema.safeParse(seal);
  if (!manifest.success) throw damaged(path, manifest.error.issues[0]?.message ?? 'it is not valid');
  if (!parsedSeal.success) throw damaged(path, 'it has no seal');
  return { manifest: manifest.data, text: JSON.stringify(content), seal: parsedSeal.data };
}

/**
 * Reads the manifest of a backup.
 * @throws BackupError if there is none, it has another format, was changed, or its key is missing
 */
export async function readManifest(dir: string, keys: BackupKeys): Promise<Manifest> {
  const { manifest, text, seal } = await readUnchecked(dir);
  const expected = Buffer.from(sealValue(text, seal.keyId, seal.salt ?? '', keys), 'hex');
  if (!timingSafeEqual(expected, Buffer.from(seal.value, 'hex')))
    throw damaged(join(dir, MANIFEST), 'it was altered');
  const isEncrypted = manifest.files.some(({ encrypted }) => encrypted);
  if (isEncrypted && seal.keyId === undefined) throw damaged(join(dir, MANIFEST), 'its seal was replaced');
  return manifest;
}

/** What a list of backups needs, also of those whose key is not at hand. Undefined if `dir` is no backup. */
export async function readUnsealedManifest(dir: string): Promise<Manifest | undefined> {
  try {
    return (await readUnchecked(dir)).manifest;
  } catch (error) {
    if (error instanceof BackupError) return undefined;
    throw error;
  }
}
