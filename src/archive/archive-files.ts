import { createHash, type Hash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { Types } from 'mongoose';
import { OperatorError } from '../common/index.js';
import { programVersion } from '../config/index.js';
import type { ExactDocument, RawRow } from '../database/index.js';
import { type ArchivedRow, decodeLine, encodeLine, headOf } from './archive-line.js';
import { ARCHIVE_STORE, type ArchiveStore } from './archive-store.js';
import type { ArchiveContents, ArchiveRecord } from './archive.schema.js';
import { Pacer } from './pacer.js';
import { compressed, decompressed, joined, linesOf, observed } from './streams.js';

const ROWS = 'rows.ndjson.gz';
const MANIFEST = 'manifest.json';

const FORMAT_VERSION = 1;

/** Describes an archive to those who have only its files. */
interface Manifest {
  formatVersion: typeof FORMAT_VERSION;
  /** Version of Colloquy that wrote it. */
  version: string;
  id: string;
  tenantId: string;
  kind: string;
  /** ISO 8601, as are all times. */
  createdAt: string;
  from: string;
  to: string;
  count: number;
  /** Number of documents, by collection. */
  rows: Record<string, number>;
  /** SHA-256 of the BSON bytes of all documents, in order. */
  checksum: string;
  files: { name: string; bytes: number; sha256: string }[];
}

/** Rows with the times of their roots. */
export interface DatedRow extends RawRow {
  at: Date;
}

export type ArchiveIdentity = Pick<ArchiveRecord, '_id' | 'tenantId' | 'kind' | 'createdAt'>;

/** Part of an archive file: whole roots, or some of the rows of a large one. */
export interface RowGroup {
  rows: ArchivedRow[];
  /** Number of roots that end in this group. */
  roots: number;
  /** Of its lines, UTF-16 units. */
  length: number;
}

/** Limits of what is restored in one transaction, and held in memory for it. */
const MAX_GROUP_ROWS = 200;
const MAX_GROUP_LENGTH = 4 * 1024 * 1024;

const emptyGroup = (): RowGroup => ({ rows: [], roots: 0, length: 0 });

const isFull = ({ rows, length }: RowGroup): boolean =>
  rows.length >= MAX_GROUP_ROWS || length >= MAX_GROUP_LENGTH;

const joinedGroup = (a: RowGroup, b: RowGroup): RowGroup => ({
  rows: [...a.rows, ...b.rows],
  roots: a.roots + b.roots,
  length: a.length + b.length,
});

/** An archive file does not have the contents that were written. */
export class ArchiveDamagedError extends OperatorError {
  constructor(file: string, location: string, reason: string) {
    super(`The archive file ${file} in ${location} is damaged: ${reason}. Restore it from a backup.`);
    this.name = 'ArchiveDamagedError';
  }
}

class Counter {
  readonly rows: Record<string, number> = {};
  readonly roots = new Set<string>();
  readonly checksum: Hash = createHash('sha256');
  from: Date | undefined;
  to: Date | undefined;
  storedBytes = 0;

  add({ collection, root, bytes, at }: DatedRow): void {
    this.rows[collection] = (this.rows[collection] ?? 0) + 1;
    this.roots.add(root.toHexString());
    this.checksum.update(bytes);
    this.storedBytes += bytes.byteLength;
    if (!this.from || at < this.from) this.from = at;
    if (!this.to || at > this.to) this.to = at;
  }
}

/**
 * Writes and reads the files of archives. Each archive has a folder with one file of compressed lines and a
 * manifest. Files are never changed: when rows are removed, a new folder replaces the old one.
 */
@Injectable()
export class ArchiveFiles {
  constructor(@Inject(ARCHIVE_STORE) private readonly store: ArchiveStore) {}

  get location(): string {
    return this.store.location;
  }

  /**
   * Writes the rows and the manifest, and reads the rows back to verify them. Returns undefined, and leaves
   * nothing, if there are no rows.
   */
  async write(
    archive: ArchiveIdentity,
    source: AsyncIterable<DatedRow>,
    signal: AbortSignal,
  ): Promise<ArchiveContents | undefined> {
    const folder = `${archive._id.toHexString()}/${new Types.ObjectId().toHexString()}`;
    const counter = new Counter();
    const sha256 = createHash('sha256');
    let bytes = 0;
    const file = observed(compressed(joined(this.lines(source, counter, signal))), (chunk) => {
      sha256.update(chunk);
      bytes += chunk.byteLength;
    });
    await this.store.write(`${folder}/${ROWS}`, file);
    const { from, to, rows, storedBytes } = counter;
    if (!from || !to) {
      await this.deleteFolder(folder);
      return undefined;
    }
    const contents: ArchiveContents = {
      folder,
      from,
      to,
      count: counter.roots.size,
      rows,
      bytes,
      storedBytes,
      sha256: sha256.digest('hex'),
      checksum: counter.checksum.digest('hex'),
    };
    await this.verify(contents, signal);
    await this.writeManifest(archive, contents);
    return contents;
  }

  /**
   * Reads the file to its end.
   * @throws ArchiveDamagedError, ArchiveFileMissingError
   */
  async verify(contents: ArchiveContents, signal: AbortSignal): Promise<void> {
    const expected = Object.values(contents.rows).reduce((sum, count) => sum + count, 0);
    let found = 0;
    const pacer = new Pacer();
    for await (const line of this.linesIn(contents)) {
      headOf(line);
      found++;
      if (found % 100 === 0) {
        signal.throwIfAborted();
        await pacer.pause();
      }
    }
    if (found !== expected)
      throw new ArchiveDamagedError(
        `${contents.folder}/${ROWS}`,
        this.location,
        `it has ${found} documents instead of ${expected}`,
      );
  }

  /**
   * The roots in the order of the file, whose other rows are not parsed.
   * @throws ArchiveDamagedError at the end, if the file is not as it was written
   */
  async *roots(contents: ArchiveContents, rootCollection: string): AsyncGenerator<ExactDocument> {
    for await (const line of this.linesIn(contents))
      if (headOf(line).collection === rootCollection) yield decodeLine(line).document;
  }

  /** @throws ArchiveDamagedError at the end, if the file is not as it was written */
  async *rows(contents: ArchiveContents): AsyncGenerator<ArchivedRow> {
    for await (const line of this.linesIn(contents)) yield decodeLine(line);
  }

  /**
   * All rows in groups of about `MAX_GROUP_ROWS` rows and `MAX_GROUP_LENGTH` at most. A group has whole roots, or
   * a part of the rows of one that is larger, of which the last part contains the root.
   */
  async *groups(contents: ArchiveContents, rootCollection: string): AsyncGenerator<RowGroup> {
    let whole = emptyGroup();
    // The rows of a root whose end has not been read yet.
    let current = emptyGroup();
    let isPart = false;
    for await (const line of this.linesIn(contents)) {
      const row = decodeLine(line);
      current.rows.push(row);
      current.length += line.length;
      if (row.collection !== rootCollection) {
        if (!isFull(current)) continue;
        yield current;
        current = emptyGroup();
        isPart = true;
        continue;
      }
      current.roots = 1;
      if (isPart) yield current;
      else {
        if (whole.roots > 0 && isFull(joinedGroup(whole, current))) {
          yield whole;
          whole = emptyGroup();
        }
        whole = joinedGroup(whole, current);
      }
      current = emptyGroup();
      isPart = false;
    }
    if (whole.roots > 0) yield whole;
  }

  /** Deletes all files of an archive, except those in the folder `except`. */
  async deleteAll(archiveId: Types.ObjectId, except?: string): Promise<void> {
    for await (const name of this.store.list(`${archiveId.toHexString()}/`))
      if (except === undefined || !name.startsWith(`${except}/`)) await this.store.delete(name);
  }

  private async deleteFolder(folder: string): Promise<void> {
    for await (const name of this.store.list(`${folder}/`)) await this.store.delete(name);
  }

  private async *lines(
    source: AsyncIterable<DatedRow>,
    counter: Counter,
    signal: AbortSignal,
  ): AsyncGenerator<string> {
    const pacer = new Pacer();
    for await (const row of source) {
      signal.throwIfAborted();
      counter.add(row);
      yield encodeLine(row);
      await pacer.pause();
    }
  }

  private async *linesIn({ folder, sha256: expected, bytes: size }: ArchiveContents): AsyncGenerator<string> {
    const name = `${folder}/${ROWS}`;
    const sha256 = createHash('sha256');
    let bytes = 0;
    const file = observed(this.store.read(name), (chunk) => {
      sha256.update(chunk);
      bytes += chunk.byteLength;
    });
    try {
      yield* linesOf(decompressed(file));
    } catch (error) {
      const isUnreadable = error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
      throw isUnreadable ? new ArchiveDamagedError(name, this.location, error.message) : error;
    }
    if (bytes !== size || sha256.digest('hex') !== expected)
      throw new ArchiveDamagedError(name, this.location, 'its checksum is not the one that was recorded');
  }

  private async writeManifest(
    { _id, tenantId, kind, createdAt }: ArchiveIdentity,
    { folder, from, to, count, rows, bytes, sha256, checksum }: ArchiveContents,
  ): Promise<void> {
    const manifest: Manifest = {
      formatVersion: FORMAT_VERSION,
      version: programVersion(),
      id: _id.toHexString(),
      tenantId,
      kind,
      createdAt: createdAt.toISOString(),
      from: from.toISOString(),
      to: to.toISOString(),
      count,
      rows,
      checksum,
      files: [{ name: ROWS, bytes, sha256 }],
    };
    const text = Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`);
    const content = (async function* () {
      yield text;
    })();
    await this.store.write(`${folder}/${MANIFEST}`, content);
  }
}
