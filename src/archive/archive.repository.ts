import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { type Model, type QueryFilter, Types } from 'mongoose';
import { afterCursor } from '../database/index.js';
import type { DateIdCursor } from '../http/index.js';
import {
  ANYONE,
  ARCHIVE_MODEL,
  type ArchiveContents,
  type ArchiveRecord,
  HOLD_MODEL,
  type HoldRecord,
  unfinishedStates,
} from './archive.schema.js';

export interface ArchiveFilter {
  tenantId?: string | undefined;
  kind?: string | undefined;
}

/** An archive whose file is complete. */
export type WrittenArchive = ArchiveRecord & { contents: ArchiveContents };

export const isWritten = (archive: ArchiveRecord): archive is WrittenArchive =>
  archive.contents !== undefined;

/** The file of an archive was replaced, or the archive deleted, while it was being restored. */
export class ArchiveChangedError extends Error {
  constructor(id: string, options?: ErrorOptions) {
    super(
      `The archive ${id} was changed by an erasure while it was being restored. Restore it again.`,
      options,
    );
    this.name = 'ArchiveChangedError';
  }
}

/** Without what may be long. */
const forLists = { participants: 0, changed: 0 } as const;

@Injectable()
export class ArchiveRepository {
  constructor(
    @InjectModel(ARCHIVE_MODEL) private readonly archives: Model<ArchiveRecord>,
    @InjectModel(HOLD_MODEL) private readonly holds: Model<HoldRecord>,
  ) {}

  /** Stores a new archive in the state `writing`. */
  async begin(tenantId: string, kind: string): Promise<ArchiveRecord> {
    const archive: ArchiveRecord = {
      _id: new Types.ObjectId(),
      tenantId,
      kind,
      state: 'writing',
      participants: [ANYONE],
      released: 0,
      changed: [],
      createdAt: new Date(),
    };
    await this.archives.insertOne(archive);
    return archive;
  }

  async written(
    { tenantId, _id }: ArchiveRecord,
    contents: ArchiveContents,
    participants: string[],
  ): Promise<void> {
    await this.archives
      .updateOne(
        { tenantId, _id, state: 'writing' },
        { $set: { state: 'releasing', contents, participants } },
      )
      .orFail()
      .exec();
  }

  /** Takes part in the transaction in which the roots are released. */
  async released(
    { tenantId, _id }: ArchiveRecord,
    from: number,
    count: number,
    changed: readonly Types.ObjectId[],
  ): Promise<void> {
    await this.archives
      .updateOne(
        { tenantId, _id, state: 'releasing', released: from },
        { $inc: { released: count }, $push: { changed: { $each: [...changed] } } },
      )
      .orFail()
      .exec();
  }

  /** Replaces the contents in `folder` by those of another file. */
  async replaced({ tenantId, _id }: ArchiveRecord, folder: string, contents: ArchiveContents): Promise<void> {
    await this.archives
      .updateOne(
        { tenantId, _id, 'contents.folder': folder },
        { $set: { state: 'cleaning', changed: [], contents } },
      )
      .orFail()
      .exec();
  }

  /** Nothing is left in the archive, so it is to be discarded as if it had never been complete. */
  async abandoned({ tenantId, _id }: ArchiveRecord): Promise<void> {
    await this.archives
      .updateOne({ tenantId, _id }, { $set: { state: 'writing' }, $unset: { contents: 1 } })
      .exec();
  }

  /** Nothing of a run is left to do. */
  async stored({ tenantId, _id }: ArchiveRecord): Promise<void> {
    await this.archives
      .updateOne({ tenantId, _id, contents: { $exists: true } }, { $set: { state: 'stored' } })
      .orFail()
      .exec();
  }

  /**
   * Takes part in the transaction in which rows of the archive are restored, so that its file is not replaced
   * meanwhile.
   * @throws Error if it was
   */
  async confirmRestore({ tenantId, _id, contents }: WrittenArchive): Promise<void> {
    const { matchedCount } = await this.archives
      .updateOne({ tenantId, _id, 'contents.folder': contents.folder }, { $inc: { restoreSteps: 1 } })
      .exec();
    if (matchedCount === 0) throw new ArchiveChangedError(_id.toHexString());
  }

  /** @param restoredAt undefined if a part was left out */
  async restored({ tenantId, _id }: ArchiveRecord, restoredAt: Date | undefined): Promise<void> {
    await this.archives
      .updateOne(
        { tenantId, _id },
        { ...(restoredAt && { $set: { restoredAt } }), $unset: { restoreSteps: 1 } },
      )
      .exec();
  }

  async delete({ tenantId, _id }: ArchiveRecord): Promise<void> {
    await this.archives.deleteOne({ tenantId, _id }).exec();
  }

  find(id: string): Promise<ArchiveRecord | null> {
    return this.archives.findById(id).lean<ArchiveRecord>().exec();
  }

  /** Archives of interrupted runs. */
  unfinished(tenantId: string | undefined): Promise<ArchiveRecord[]> {
    return this.archives
      .find({ state: { $in: unfinishedStates }, ...(tenantId !== undefined && { tenantId }) })
      .lean<ArchiveRecord[]>()
      .exec();
  }

  /** Newest first. */
  list({ tenantId, kind }: ArchiveFilter, limit: number, cursor?: DateIdCursor): Promise<ArchiveRecord[]> {
    const filter: QueryFilter<ArchiveRecord> = {
      ...(tenantId !== undefined && { tenantId }),
      ...(kind !== undefined && { kind }),
      ...afterCursor('createdAt', cursor),
    };
    return this.archives
      .find(filter, forLists)
      .sort({ createdAt: -1, _id: -1 })
      .limit(limit)
      .lean<ArchiveRecord[]>()
      .exec();
  }

  /** The archives that have, or may have, data of a participant. */
  ofParticipant(tenantId: string, participantHash: string): Promise<ArchiveRecord[]> {
    return this.archives
      .find({ tenantId, participants: { $in: [participantHash, ANYONE] } })
      .lean<ArchiveRecord[]>()
      .exec();
  }

  /** The archive no longer has data of the participant. */
  async removeParticipant({ tenantId, _id }: ArchiveRecord, participantHash: string): Promise<void> {
    await this.archives.updateOne({ tenantId, _id }, { $pull: { participants: participantHash } }).exec();
  }

  /** Ids of all archives of a tenant, for deleting their files. */
  async idsOf(tenantId: string): Promise<Types.ObjectId[]> {
    const rows = await this.archives
      .find({ tenantId }, { _id: 1 })
      .lean<Pick<ArchiveRecord, '_id'>[]>()
      .exec();
    return rows.map(({ _id }) => _id);
  }

  /** Those of the roots that were restored and have to stay. */
  async held(
    tenantId: string,
    kind: string,
    ids: readonly Types.ObjectId[],
    now: Date,
  ): Promise<Set<string>> {
    const rows = await this.holds
      .find({ tenantId, kind, rootId: { $in: ids }, until: { $gt: now } }, { rootId: 1 })
      .lean<Pick<HoldRecord, 'rootId'>[]>()
      .exec();
    return new Set(rows.map(({ rootId }) => rootId.toHexString()));
  }

  async hold(tenantId: string, kind: string, ids: readonly Types.ObjectId[], until: Date): Promise<void> {
    if (ids.length === 0) return;
    await this.holds.bulkWrite(
      ids.map((rootId) => ({
        updateOne: { filter: { tenantId, kind, rootId }, update: { $set: { until } }, upsert: true },
      })),
    );
  }
}
