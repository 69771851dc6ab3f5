import { Injectable } from '@nestjs/common';
import type { Types } from 'mongoose';
import {
  type Archivable,
  ArchivableRegistry,
  type DueRoot,
  type ExactDocument,
  plainOf,
  RawDocuments,
  type RawRow,
  type RowsToRestore,
  sameBytes,
  TransactionRunner,
} from '../database/index.js';
import { namesIn } from './job-mentions.js';
import { JobRepository } from './job.repository.js';
import { JOB_COLLECTION, type JobRecord } from './job.schema.js';

type JobVersion = Pick<JobRecord, '_id' | 'state' | 'dueAt'>;

/** Moves completed and failed jobs to an archive. */
@Injectable()
export class JobArchivable implements Archivable {
  readonly name = 'jobs' as const;
  readonly rootCollection = JOB_COLLECTION;
  readonly versionFields = ['state', 'dueAt'];
  readonly unique = [];
  readonly namesFew = false;

  constructor(
    private readonly jobs: JobRepository,
    private readonly raw: RawDocuments,
    private readonly transactions: TransactionRunner,
    registry: ArchivableRegistry,
  ) {
    registry.contribute(this);
  }

  async due(tenantId: string, before: Date, after: DueRoot | undefined, limit: number): Promise<DueRoot[]> {
    const rows = await this.jobs.finishedBefore(tenantId, before, after, limit);
    return rows.map(({ _id, dueAt }) => ({ id: _id, at: dueAt }));
  }

  count(tenantId: string): Promise<number> {
    return this.jobs.countOf(tenantId);
  }

  rows(tenantId: string, ids: readonly Types.ObjectId[]): AsyncIterable<RawRow> {
    return this.raw.roots(JOB_COLLECTION, tenantId, ids);
  }

  participantsOf(root: ExactDocument): Iterable<string> {
    return namesIn(plainOf<JobRecord>(root));
  }

  /** A finished job that was retried has another state or time. */
  async release(
    tenantId: string,
    _archiveId: Types.ObjectId,
    versions: readonly ExactDocument[],
  ): Promise<Types.ObjectId[]> {
    const released: Types.ObjectId[] = [];
    for (const version of versions.map((one) => plainOf<JobVersion>(one)))
      if (await this.jobs.deleteUnchanged(tenantId, version)) released.push(version._id);
    return released;
  }

  async restore(_tenantId: string, { rows, confirm }: RowsToRestore): Promise<void> {
    await this.transactions.run(async () => {
      await confirm();
      await this.raw.insert(
        JOB_COLLECTION,
        rows.map(({ document }) => document),
      );
    });
  }

  isSame(stored: ExactDocument, archived: ExactDocument): boolean {
    return sameBytes(stored, archived);
  }
}
