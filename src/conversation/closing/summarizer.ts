import type { TenantIdentity } from '../../tenant/index.js';
import type { ClosingGoal } from './conversation-transcript.queue.js';

/** Injection token of the `Summarizer` selected by the setting SUMMARIZER. */
export const SUMMARIZER = Symbol('SUMMARIZER');

/** Maximum length of a summary, UTF-16 units: the limit of a transcript's summary. */
export const MAX_SUMMARY_LENGTH = 10_000;

export interface SummaryInput {
  readonly tenant: TenantIdentity;
  readonly conversation: { readonly id: string; readonly channel: string; readonly participantId: string };
  /** Id of the transcript; the same on every attempt. */
  readonly transcriptId: string;
  readonly text: string;
  readonly firstRequest: string | null;
  readonly lastReply: string | null;
  readonly goals: readonly ClosingGoal[];
}

export interface Summary {
  /** 1 to MAX_SUMMARY_LENGTH UTF-16 units. Null if there is nothing to summarize. */
  text: string | null;
  by: 'extractive' | 'responder';
}

/** Summarizes a closed conversation in a few sentences. */
export interface Summarizer {
  /** Rejects only if `signal` aborts. */
  summarize(input: SummaryInput, signal: AbortSignal): Promise<Summary>;
}
