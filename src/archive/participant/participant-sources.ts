import { Inject, Injectable } from '@nestjs/common';
import {
  DATABASE_SETTINGS,
  type DatabaseSettings,
  SESSION_SETTINGS,
  type SessionSettings,
  TRANSCRIPT_SETTINGS,
  type TranscriptSettings,
} from '../../config/index.js';
import { ParticipantConversations } from '../../conversation/index.js';
import { ProblemError } from '../../http/index.js';
import { jobView, QueueService } from '../../queue/index.js';
import { RedisService } from '../../redis/index.js';
import { SessionService, sessionView } from '../../session/index.js';
import { ParticipantTranscripts } from '../../transcript/index.js';
import { ERASED_IDS_KEPT_MS, ErasedIdStore } from './erased-id-store.js';
import type { Counts, ExportedDocument, Later, ParticipantData } from './participant-data.js';

const DAY_MS = 86_400_000;

const fromNow = (ms: number): Date => new Date(Date.now() + ms);

/** Before the conversations, so that the transcripts that closings created are counted. */
@Injectable()
export class TranscriptData implements ParticipantData {
  readonly name = 'transcript';

  constructor(
    private readonly transcripts: ParticipantTranscripts,
    private readonly erasedIds: ErasedIdStore,
    @Inject(TRANSCRIPT_SETTINGS) private readonly settings: TranscriptSettings,
  ) {}

  async erase(tenantId: string, participantId: string, signal: AbortSignal): Promise<Counts> {
    const remember = (ids: readonly string[]): Promise<void> =>
      this.erasedIds.remember(tenantId, 'transcript', ids);
    return { transcripts: await this.transcripts.erase(tenantId, participantId, remember, signal) };
  }

  async count(tenantId: string, participantId: string): Promise<Counts> {
    return { transcripts: await this.transcripts.count(tenantId, participantId) };
  }

  async *export(tenantId: string, participantId: string): AsyncIterable<ExportedDocument> {
    for await (const document of this.transcripts.documents(tenantId, participantId))
      yield { kind: 'transcript', document };
  }

  participantIds(tenantId: string, after: string, limit: number): Promise<string[]> {
    return this.transcripts.participantIds(tenantId, after, limit);
  }

  later(): Later[] {
    return [
      {
        what: 'Markers of deleted transcripts, with ids and times only.',
        until: fromNow(this.settings.TRANSCRIPT_TOMBSTONE_DAYS * DAY_MS),
      },
    ];
  }
}

@Injectable()
export class ConversationData implements ParticipantData {
  readonly name = 'conversation';

  constructor(
    private readonly conversations: ParticipantConversations,
    private readonly erasedIds: ErasedIdStore,
  ) {}

  async erase(tenantId: string, participantId: string, signal: AbortSignal): Promise<Counts> {
    const remember = (keys: readonly string[]): Promise<void> =>
      this.erasedIds.remember(tenantId, 'message', keys);
    return { ...(await this.conversations.erase(tenantId, participantId, remember, signal)) };
  }

  async count(tenantId: string, participantId: string): Promise<Counts> {
    return { ...(await this.conversations.count(tenantId, participantId)) };
  }

  export(tenantId: string, participantId: string): AsyncIterable<ExportedDocument> {
    return this.conversations.documents(tenantId, participantId);
  }

  participantIds(tenantId: string, after: string, limit: number): Promise<string[]> {
    return this.conversations.participantIds(tenantId, after, limit);
  }

  later(): Later[] {
    return [
      {
        what: 'Keyed hashes of the externalIds of erased messages and transcripts, which are refused if they are sent again.',
        until: fromNow(ERASED_IDS_KEPT_MS),
      },
      { what: 'A keyed hash of the participantId, so that a restored backup is erased again.', until: null },
    ];
  }
}

/** How long the copies of a deleted session are refused by Redis; see `SharedSessions`. */
const REDIS_MARKER_MS = 5 * 60_000;

@Injectable()
export class SessionData implements ParticipantData {
  readonly name = 'session';

  constructor(
    private readonly sessions: SessionService,
    private readonly redis: RedisService,
    @Inject(SESSION_SETTINGS) private readonly settings: SessionSettings,
  ) {}

  async erase(tenantId: string, participantId: string): Promise<Counts> {
    return { sessions: (await this.sessions.erase(tenantId, participantId)) ? 1 : 0 };
  }

  async count(tenantId: string, participantId: string): Promise<Counts> {
    return { sessions: (await this.sessions.find(tenantId, participantId)) ? 1 : 0 };
  }

  async *export(tenantId: string, participantId: string): AsyncIterable<ExportedDocument> {
    const session = await this.sessions.find(tenantId, participantId);
    if (session) yield { kind: 'session', document: sessionView(session) };
  }

  participantIds(tenantId: string, after: string, limit: number): Promise<string[]> {
    return this.sessions.participantIds(tenantId, after, limit);
  }

  later(): Later[] {
    return this.redis.enabled
      ? [
          {
            what: 'A marker in Redis with the participantId, which refuses late copies of the session.',
            until: fromNow(REDIS_MARKER_MS),
          },
        ]
      : [
          {
            what: 'Copies of the session in the memory of other processes, which are never returned. Without Redis they are not notified.',
            until: fromNow(this.settings.SESSION_IDLE_TTL_MS),
          },
        ];
  }
}

/** Jobs about the participant. The jobs of closings contain ids of conversations only and stay for a while. */
@Injectable()
export class JobData implements ParticipantData {
  readonly name = 'queue';

  constructor(private readonly queues: QueueService) {}

  async erase(tenantId: string, participantId: string): Promise<Counts> {
    const jobs = await this.queues.mentioning(tenantId, participantId);
    await this.queues.erase(tenantId, jobs);
    return { jobs: jobs.length };
  }

  async count(tenantId: string, participantId: string): Promise<Counts> {
    return { jobs: (await this.queues.mentioning(tenantId, participantId)).length };
  }

  async *export(tenantId: string, participantId: string): AsyncIterable<ExportedDocument> {
    for (const { _id, queue } of await this.queues.mentioning(tenantId, participantId)) {
      const job = await this.queues.get(tenantId, queue, _id.toHexString()).catch(nothingIfGone);
      if (job) yield { kind: 'job', document: { ...jobView(job), payload: job.payload } };
    }
  }

  later(): Later[] {
    return [
      {
        what: 'Records of finished jobs of the conversations, with ids and numbers only, until newer jobs of the queue replace them.',
        until: null,
      },
    ];
  }
}

function nothingIfGone(error: unknown): undefined {
  if (error instanceof ProblemError && error.problem.status === 404) return;
  throw error;
}

/** What outlasts every erasure, whichever module stored it. */
@Injectable()
export class LastingData {
  constructor(@Inject(DATABASE_SETTINGS) private readonly settings: DatabaseSettings) {}

  later(): Later[] {
    const isEmbedded = this.settings.MONGODB_URI === undefined;
    return [
      {
        what: isEmbedded
          ? 'Free pages of the data file of the embedded store, which are not overwritten before they are reused or the store is compacted.'
          : 'Free space in the data files and the oplog of the database server, until the server overwrites it.',
        until: null,
      },
      {
        what: 'Log files, which contain no texts but may contain ids, until they are rotated.',
        until: null,
      },
    ];
  }
}
