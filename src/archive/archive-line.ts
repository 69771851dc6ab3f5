import { mongo, Types } from 'mongoose';
import { decodeExactly, encodeExactly, type ExactDocument, type RawRow } from '../database/index.js';

/**
 * A line of an archive file. `document` is MongoDB Extended JSON in its canonical form, which keeps every BSON
 * type. A document that this form cannot represent exactly, such as one with a member named `$oid`, is stored
 * as base64 of its BSON instead.
 */
type Line =
  | { collection: string; root: string; document: unknown }
  | { collection: string; root: string; bson: string };

export interface ArchivedRow {
  collection: string;
  /** Hexadecimal id of the root that the row belongs to. */
  root: string;
  document: ExactDocument;
}

const { EJSON } = mongo.BSON;
const canonical = { relaxed: false } as const;

const head = ({ collection, root }: { collection: string; root: string }): string =>
  `{"collection":${JSON.stringify(collection)},"root":"${root}",`;

const headPattern = /^\{"collection":"([^"\\]*)","root":"([0-9a-f]{24})",/;

function isExact(text: string, bytes: Uint8Array): boolean {
  try {
    return Buffer.from(encodeExactly(EJSON.parse(text, canonical) as ExactDocument)).equals(bytes);
  } catch {
    return false;
  }
}

/** Returns the line without its line break. */
export function encodeLine({ collection, root, bytes }: RawRow): string {
  const begin = head({ collection, root: root.toHexString() });
  const text = EJSON.stringify(decodeExactly(bytes), canonical);
  if (isExact(text, bytes)) return `${begin}"document":${text}}`;
  return `${begin}"bson":"${Buffer.from(bytes).toString('base64')}"}`;
}

/** The collection and root of a line, without parsing all of it. */
export function headOf(line: string): { collection: string; root: string } {
  const [, collection, root] = headPattern.exec(line) ?? [];
  if (collection === undefined || root === undefined)
    // Without its contents: they belong to a tenant, and the message gets into reports.
    throw new Error('an archive has a line that is not as Colloquy writes it');
  return { collection, root };
}

export function decodeLine(line: string): ArchivedRow {
  const { collection, root } = headOf(line);
  const { bson } = JSON.parse(line) as { bson?: string } satisfies Partial<Line>;
  if (bson !== undefined) return { collection, root, document: decodeExactly(Buffer.from(bson, 'base64')) };
  const { document } = EJSON.parse(line, canonical) as { document: ExactDocument };
  return { collection, root, document };
}

/** The row as it was before it was encoded. */
export const rawOf = ({ collection, root, document }: ArchivedRow): RawRow => ({
  collection,
  root: new Types.ObjectId(root),
  bytes: encodeExactly(document),
});
