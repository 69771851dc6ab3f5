import { Inject, Injectable } from '@nestjs/common';
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
import { mongo } from 'mongoose';
import { type CommittedChange, EMBEDDER, type Embedder, VectorIndex } from '../search/index.js';
import { TranscriptArchiveRepository, type TranscriptVersion } from './transcript-archive.repository.js';
import { TranscriptStore } from './transcript-store.js';
import { type FinishedTranscript, TRANSCRIPTS } from './transcript.schema.js';

/** Moves finished transcripts with their vectors to an archive. There they are no longer found by meaning. */
@Injectable()
export class TranscriptArchivable implements Archivable {
  readonly name = 'transcripts' as const;
  readonly rootCollection = TRANSCRIPTS;
  readonly versionFields = ['status', 'changeSeq'];
  readonly unique = [{ collection: TRANSCRIPTS, field: 'externalId', erasedAs: 'transcript' as const }];
  readonly namesFew = true;

  constructor(
    private readonly transcripts: TranscriptArchiveRepository,
    private readonly store: TranscriptStore,
    private readonly index: VectorIndex,
    private readonly raw: RawDocuments,
    private readonly transactions: TransactionRunner,
    @Inject(EMBEDDER) private readonly embedder: Embedder,
    registry: ArchivableRegistry,
  ) {
    registry.contribute(this);
  }

  due(tenantId: string, before: Date, after: DueRoot | undefined, limit: number): Promise<DueRoot[]> {
    return this.transcripts.finished(tenantId, before, after, limit);
  }

  count(tenantId: string): Promise<number> {
    return this.transcripts.count(tenantId);
  }

  rows(tenantId: string, ids: readonly Types.ObjectId[]): AsyncIterable<RawRow> {
    return this.raw.roots(TRANSCRIPTS, tenantId, ids);
  }

  participantsOf({ participantId }: ExactDocument): Iterable<string> {
    return [participantId as string];
  }

  async release(
    tenantId: string,
    _archiveId: Types.ObjectId,
    versions: readonly ExactDocument[],
  ): Promise<Types.ObjectId[]> {
    const { released, change } = await this.store.release(
      tenantId,
      versions.map((version) => plainOf<TranscriptVersion>(version)),
    );
    await this.announce(tenantId, change);
    return released;
  }

  /** The restored transcripts get a new change number, so that every process adds their vectors. */
  async restore(tenantId: string, { rows, confirm }: RowsToRestore): Promise<void> {
    const change = await this.store.restore(
      tenantId,
      rows.map(({ document }) => plainOf<FinishedTranscript>(document)),
      async (changeSeq) => {
        await confirm();
        const documents = rows.map(({ document }) => ({
          ...document,
          changeSeq: new mongo.BSON.Int32(changeSeq),
        }));
        await this.raw.insert(TRANSCRIPTS, documents);
      },
    );
    await this.announce(tenantId, change);
  }

  isSame(stored: ExactDocument, archived: ExactDocument): boolean {
    return sameBytes({ ...stored, changeSeq: null }, { ...archived, changeSeq: null });
  }

  private announce(tenantId: string, change: CommittedChange): Promise<void> {
    return this.transactions.afterCommit(() => {
      this.index.apply(tenantId, this.embedder.model, change);
    });
  }
}
