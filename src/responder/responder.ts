import type { z } from 'zod';
import type { Goal, GoalStatus } from '../session/index.js';
import type { TenantIdentity } from '../tenant/index.js';
import type { Attachment, MessageRole } from './message-content.js';

export interface HistoryEntry {
  role: MessageRole;
  content: string;
}

/**
 * An inbound message. `id` is its id in the database, which is the same on every attempt, so it can be used to
 * detect repeated calls.
 */
export interface InboundMessage {
  readonly id: string;
  readonly content: string;
  readonly attachments: readonly Attachment[];
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly externalId: string | null;
}

/** The input of a responder for one inbound message. It must not be modified. */
export interface ResponderRequest<Config = unknown> {
  readonly tenant: TenantIdentity;
  /** `id` is null if the message, or the burst that it ends, starts a new conversation. */
  readonly conversation: {
    readonly id: string | null;
    readonly channel: string;
    readonly participantId: string;
  };
  readonly message: InboundMessage;
  /**
   * With `debounceMs`: the messages right before this one that the same reply answers, oldest first. They are
   * also part of the history. Absent if there are none.
   */
  readonly burst?: readonly InboundMessage[];
  readonly session: {
    readonly activeGoals: readonly Goal[];
    readonly context: Readonly<Record<string, unknown>>;
  };
  /** The tenant's settings for this responder, as parsed by `configSchema`. */
  readonly config: Config;
  /** Returns up to `limit` messages before this one, oldest first. Reads the database. */
  readonly history: (limit: number) => Promise<HistoryEntry[]>;
}

export interface ReplyContent {
  /** At most 64 KiB of UTF-8. */
  content: string;
  attachments?: Attachment[] | undefined;
  metadata?: Record<string, unknown> | undefined;
}

export interface ResponderResult {
  /** Null to send no reply. */
  reply: ReplyContent | null;
  /** Replaces the session's goals. If absent, they stay unchanged. */
  activeGoals?: Goal[] | undefined;
  /** Replaces the session's context. If absent, it stays unchanged. */
  context?: Record<string, unknown> | undefined;
}

/** The input for summarizing a closed conversation. It must not be modified. */
export interface SummaryRequest<Config = unknown> {
  readonly tenant: TenantIdentity;
  readonly conversation: { readonly id: string; readonly channel: string; readonly participantId: string };
  /**
   * Id of the future transcript. It is the same on every attempt, so it can be used to detect repeated calls.
   */
  readonly transcriptId: string;
  /**
   * One line for each message, at most 64 KiB; of a longer transcript the beginning and the end. Lines of the
   * participant start with `>`, replies with `<`.
   */
  readonly transcript: string;
  /** The participant's goals when the conversation was closed. */
  readonly goals: readonly {
    readonly type: string;
    readonly status: GoalStatus;
    readonly slots: Readonly<Record<string, string>>;
  }[];
  readonly config: Config;
}

/**
 * Turns a session and a message into a reply. It is called outside any transaction, and may be called again
 * for the same message if the session was changed concurrently or the client retries. Its side effects must
 * tolerate that.
 */
export interface Responder<Config = unknown> {
  /** The name by which a tenant chooses it; lower case, unique. */
  readonly type: string;
  /**
   * True if it replies without waiting for I/O. It then runs without a time limit, and the message is stored
   * together with its reply. Otherwise the message is stored before the responder is called.
   */
  readonly isImmediate?: boolean;
  /** Validates the settings of PUT /v1/responder and fills in defaults. */
  readonly configSchema: z.ZodType<Config>;
  /**
   * Fields of the configuration that are never returned, only hinted at. If a PUT omits one, its stored value
   * is kept.
   */
  readonly secretFields?: readonly string[];
  /** `signal` aborts after MESSAGE_PROCESSOR_TIMEOUT; a later result is discarded. */
  respond(request: ResponderRequest<Config>, signal: AbortSignal): Promise<ResponderResult>;
  /**
   * For SUMMARIZER=responder: returns a plain-text summary of 1 to 10,000 characters. If it is not
   * implemented or fails, an extractive summary is used. `signal` aborts after 30 s. May be called again for
   * the same transcript.
   */
  summarize?(request: SummaryRequest<Config>, signal: AbortSignal): Promise<string>;
}

/**
 * A failure whose message may be shown to the tenant: one or more complete sentences without secrets. Any
 * other error is logged but not shown.
 */
export class ResponderError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ResponderError';
  }
}
