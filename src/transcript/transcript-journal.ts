import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { deserialize, serialize } from 'bson';
import { Types } from 'mongoose';
import { LOGGER, type Logger } from '../common/index.js';
import { prepareDataDir, SERVICE_SETTINGS, type ServiceSettings } from '../config/index.js';
import { DatabaseService, type DatabaseStats } from '../database/index.js';
import { type Batch, Journal, type JournalStats } from '../journal/index.js';

/** A transcript that was accepted and is not stored yet. */
export interface AcceptedTranscript {
  id: string;
  tenantId: string;
  participantId: string;
  channel: string;
  transcript: string;
  summary?: string | undefined;
  metadata: Record<string, unknown>;
  externalId?: string | undefined;
  createdAt: Date;
  /** A dead letter that is tried again: its row is there. */
  isReplay?: boolean;
}

export interface AcceptedBatch {
  items: AcceptedTranscript[];
  batch: Batch;
}

/** Of one database: what was accepted for it is moved into no other one that is used with the same DATA_DIR. */
function placeOf({ kind, uri, database }: DatabaseStats): string {
  if (kind === 'embedded') return 'transcripts-embedded';
  const hosts = /\/\/([^/?]*)/.exec(uri)?.[1]?.split(',').toSorted().join(',') ?? uri;
  const name = createHash('sha256').update(`${hosts}/${database}`).digest('hex').slice(0, 16);
  return `transcripts-${name}`;
}

const MAX_BATCH_BYTES = 32 * 1024 * 1024;

/** Accepted transcripts on this machine's disk: an id that was answered is there, or in the database. */
@Injectable()
export class TranscriptJournal {
  private journal: Journal | undefined;

  constructor(
    @Inject(SERVICE_SETTINGS) private readonly settings: ServiceSettings,
    private readonly database: DatabaseService,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** @throws Error when the folder cannot be used */
  async open(onWaiting: () => void): Promise<void> {
    const dir = join(prepareDataDir(this.settings.DATA_DIR), 'journal', placeOf(this.database.stats()));
    this.journal = await Journal.open({ dir, logger: this.logger });
    this.journal.onWaiting(onWaiting);
  }

  async close(): Promise<void> {
    await this.journal?.close();
  }

  /** Resolves when it is on disk. @throws JournalUnavailableError, JournalOverloadedError */
  async append({ id, ...rest }: AcceptedTranscript): Promise<void> {
    await this.opened.append(
      Buffer.from(serialize({ ...rest, _id: new Types.ObjectId(id) }, { ignoreUndefined: true })),
    );
  }

  /** The oldest ones; undefined when none waits. */
  async take(count: number): Promise<AcceptedBatch | undefined> {
    const batch = await this.opened.take(count, MAX_BATCH_BYTES);
    if (!batch) return undefined;
    const items = batch.records.map(({ bytes }) => {
      const { _id, ...rest } = deserialize(bytes);
      return { ...rest, id: (_id as Types.ObjectId).toHexString() } as AcceptedTranscript;
    });
    return { items, batch };
  }

  get waiting(): number {
    return this.journal?.waiting.count ?? 0;
  }

  /** How long the oldest one waits, milliseconds. */
  get oldestMs(): number {
    return this.journal?.oldestMs ?? 0;
  }

  get isOpen(): boolean {
    return this.journal !== undefined;
  }

  stats(): JournalStats {
    return this.opened.stats();
  }

  private get opened(): Journal {
    if (!this.journal) throw new Error('the journal of transcripts is not open');
    return this.journal;
  }
}
