import { Inject, Injectable } from '@nestjs/common';
import { positionBy } from '../database/index.js';
import { decodeVector, dimensionsOf, EMBEDDER, type Embedder, VectorIndex } from '../search/index.js';
import { TranscriptStore } from './transcript-store.js';
import { embeddedText } from './transcript-text.js';
import { TranscriptRepository } from './transcript.repository.js';
import type { TranscriptRecord } from './transcript.schema.js';

/** Transcripts read, or erased in one transaction, together. Each may have 1 MiB. */
const AT_ONCE = 8;

const positionOf = positionBy('createdAt');

/** The vector as base64 of its numbers: 32-bit floats, little-endian. */
function vectorText({ vector }: TranscriptRecord): string | null {
  if (!vector) return null;
  const numbers = decodeVector(vector, dimensionsOf(vector));
  const bytes = Buffer.alloc(numbers.length * 4);
  for (const [position, number] of numbers.entries()) bytes.writeFloatLE(number, position * 4);
  return bytes.toString('base64');
}

/** A transcript with everything that is held of it, in any status. */
const exportView = (record: TranscriptRecord): object => ({
  id: record._id.toHexString(),
  status: record.status,
  participantId: record.participantId,
  channel: record.channel,
  transcript: record.transcript,
  summary: record.summary ?? null,
  metadata: record.metadata,
  externalId: record.externalId ?? null,
  error: record.error ?? null,
  createdAt: record.createdAt.toISOString(),
  storedAt: record.storedAt?.toISOString() ?? null,
  model: record.model ?? null,
  vector: vectorText(record),
});

/** All transcripts of a participant: of conversations or sent by the tenant, in any status. */
@Injectable()
export class ParticipantTranscripts {
  constructor(
    private readonly transcripts: TranscriptRepository,
    private readonly store: TranscriptStore,
    private readonly index: VectorIndex,
    @Inject(EMBEDDER) private readonly embedder: Embedder,
  ) {}

  /**
   * Deletes the transcripts with their vectors, and returns their number. Tombstones, which contain ids only,
   * stay for TRANSCRIPT_TOMBSTONE_DAYS.
   * @param remember called with the externalIds before the transcripts are deleted
   */
  async erase(
    tenantId: string,
    participantId: string,
    remember: (externalIds: readonly string[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<number> {
    let erased = 0;
    for (;;) {
      signal.throwIfAborted();
      const rows = await this.transcripts.ofParticipant(tenantId, participantId, AT_ONCE);
      if (rows.length === 0) return erased;
      await remember(rows.flatMap(({ externalId }) => externalId ?? []));
      const change = await this.store.erase(
        tenantId,
        rows.map(({ _id }) => _id.toHexString()),
      );
      this.index.apply(tenantId, this.embedder.model, change);
      this.embedder.forget?.(rows.map(embeddedText));
      erased += rows.length;
    }
  }

  count(tenantId: string, participantId: string): Promise<number> {
    return this.transcripts.countOfParticipant(tenantId, participantId);
  }

  /** Everything that is held of each transcript, newest first. */
  async *documents(tenantId: string, participantId: string): AsyncIterable<object> {
    let rows: TranscriptRecord[] = [];
    do {
      const last = rows.at(-1);
      rows = await this.transcripts.ofParticipant(tenantId, participantId, AT_ONCE, last && positionOf(last));
      for (const row of rows) yield exportView(row);
    } while (rows.length === AT_ONCE);
  }

  /** Participants of the tenant with a transcript after `after`, in order of their ids: up to `limit`. */
  participantIds(tenantId: string, after: string, limit: number): Promise<string[]> {
    return this.transcripts.participantIds(tenantId, after, limit);
  }
}
