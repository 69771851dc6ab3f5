import { dirname } from 'node:path/posix';
import type { mongo } from 'mongoose';
import type { StoredFile } from './manifest.js';

/** The collection whose documents name the archive files. */
export const ARCHIVES = 'archives';

/** The folder of an archive file that a database refers to, and the size of the file. */
export interface ArchiveReference {
  folder: string;
  bytes: number;
}

/** What a document of `archives` refers to; undefined while its file is being written. */
export function referenceIn({ contents }: mongo.Document): ArchiveReference | undefined {
  const { folder, bytes } = (contents ?? {}) as Partial<Record<keyof ArchiveReference, unknown>>;
  return typeof folder === 'string' && typeof bytes === 'number' ? { folder, bytes } : undefined;
}

/** The archive files that a database refers to. */
export async function referencesOf(database: mongo.Db): Promise<ArchiveReference[]> {
  const projection = { 'contents.folder': 1, 'contents.bytes': 1 };
  const documents = await database.collection(ARCHIVES).find({}, { projection }).toArray();
  return documents.map(referenceIn).filter((reference) => reference !== undefined);
}

/** The folder in ARCHIVE_DIR of a file of a backup. */
export const folderOf = ({ source }: StoredFile): string | undefined => source && dirname(source.path);

/** The folders without a file of the size that the database says. */
export function missingFolders(
  references: readonly ArchiveReference[],
  files: readonly StoredFile[],
): string[] {
  const key = (folder: string | undefined, bytes: number): string => `${bytes} ${folder ?? ''}`;
  const found = new Set(files.map((file) => key(folderOf(file), file.plainBytes)));
  return references.filter(({ folder, bytes }) => !found.has(key(folder, bytes))).map(({ folder }) => folder);
}
