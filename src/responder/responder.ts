import type { z } from 'zod';
import type { Goal, GoalStatus } from '../session/index.js';
import type { TenantIdentity } from '../tenant/index.js';
import type { Attachment, MessageRole } from './message-content.js';

export interface HistoryEntry {
  role: MessageRole;
  content: string;
}

/** What a responder is told about one inbound message. Nothing in it may be changed. */
export interface ResponderRequest<Config = unknown> {
  readonly tenant: TenantIdentity;
  /** `id` is null when the message opens a new conversation. */
  readonly conversation: {
    readonly id: string | null;
    readonly channel: string;
    readonly participantId: string;
  };
  /** `id` is the message's id in the store, the same on every try: fit to recognise a repeated call. */
  readonly message: {
    readonly id: string;
    readonly content: string;
    readonly attachments: readonly Attachment[];
    readonly externalId: string | null;
  };
  readonly session: {
    readonly activeGoals: readonly Goal[];
    readonly context: Readonly<Record<string, unknown>>;
  };
  /** The tenant's settings for this responder, as `configSchema` parsed them. */
  readonly config: Config;
  /** Up to `limit` messages before this one, oldest first; a read of the database. */
  readonly history: (limit: number) => Promise<HistoryEntry[]>;
}

export interface ReplyContent {
  /** At most 64 KiB of UTF-8. */
  content: string;
  attachments?: Attachment[] | undefined;
  metadata?: Record<string, unknown> | undefined;
}

export interface ResponderResult {
  /** Null: say nothing. */
  reply: ReplyContent | null;
  /** The session's goals from now on; absent: as they were. */
  activeGoals?: Goal[] | undefined;
  /** The session's context from now on; absent: as it was. */
  context?: Record<string, unknown> | undefined;
}

/** What a responder is told that is to say what a closed conversation was about. Nothing in it may be changed. */
export interface SummaryRequest<Config = unknown> {
  readonly tenant: TenantIdentity;
  readonly conversation: { readonly id: string; readonly channel: string; readonly participantId: string };
  /** Of the transcript to be, the same on every try: fit to recognise a repeated call. */
  readonly transcriptId: string;
  /** A line for each message, at most 64 KiB: of a longer one the beginning and the end. `>` begins what the participant said, `<` a reply. */
  readonly transcript: string;
  /** What is known of the participant's goals at closing. */
  readonly goals: readonly {
    readonly type: string;
    readonly status: GoalStatus;
    readonly slots: Readonly<Record<string, string>>;
  }[];
  readonly config: Config;
}

/**
 * Turns a session and a message into a reply. It is called outside of any transaction and may be called again for the same
 * message, when the session was changed elsewhere at the same time or the client tries again: effects of its own must bear that.
 */
export interface Responder<Config = unknown> {
  /** Name under which a tenant chooses it; lower case, unique. */
  readonly type: string;
  /**
   * True: it replies without waiting for anything, within no time limit, and the message is stored together with its reply. Otherwise the
   * message is stored when it arrives, before the responder is called.
   */
  readonly isImmediate?: boolean;
  /** Checks and completes what a tenant stores with PUT /v1/responder. */
  readonly configSchema: z.ZodType<Config>;
  /** Fields of the configuration that are never shown again, only hinted at. A PUT that leaves one out keeps the stored value. */
  readonly secretFields?: readonly string[];
  /** `signal` aborts after MESSAGE_PROCESSOR_TIMEOUT; what comes later is discarded. */
  respond(request: ResponderRequest<Config>, signal: AbortSignal): Promise<ResponderResult>;
  /**
   * For SUMMARIZER=responder: says in plain text, 1 to 10,000 characters, what a conversation was about. Where it is not there, or fails, an
   * extract stands in. `signal` aborts after 30 s. May be called again for the same transcript.
   */
  summarize?(request: SummaryRequest<Config>, signal: AbortSignal): Promise<string>;
}

/**
 * A failure that the tenant may read: `message` is one or more whole sentences, free of secrets. Any other error counts as the
 * responder's own fault and is logged, but not shown.
 */
export class ResponderError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ResponderError';
  }
}
