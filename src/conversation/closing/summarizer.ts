import type { TenantIdentity } from '../../tenant/index.js';
import type { ClosingGoal } from './conversation-transcript.queue.js';

/** Injection token of the `Summarizer` that SUMMARIZER chooses. */
export const SUMMARIZER = Symbol('SUMMARIZER');

/** Longest summary, UTF-16 units: what a transcript takes. */
export const MAX_SUMMARY_LENGTH = 10_000;

export interface SummaryInput {
  readonly tenant: TenantIdentity;
  readonly conversation: { readonly id: string; readonly channel: string; readonly participantId: string };
  /** Names the transcript: the same on every try. */
  readonly transcriptId: string;
  readonly text: string;
  readonly firstRequest: string | null;
  readonly lastReply: string | null;
  readonly goals: readonly ClosingGoal[];
}

export interface Summary {
  /** 1 to MAX_SUMMARY_LENGTH; null when there is nothing to say. */
  text: string | null;
  by: 'extractive' | 'responder';
}

/** Says in a few sentences what a closed conversation was about. */
export interface Summarizer {
  /** Rejects only when `signal` aborts. */
  summarize(input: SummaryInput, signal: AbortSignal): Promise<Summary>;
}
