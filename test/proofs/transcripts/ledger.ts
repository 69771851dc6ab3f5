import { createHash } from 'node:crypto';

/** A transcript that a client sent exactly once. */
export interface SentTranscript {
  /** Unique key, stored in the metadata of the transcript. */
  key: string;
  /** The id in the response; unset if no response was received. */
  id?: string;
}

/** A conversation that a client asked to close exactly once; a job creates its transcript. */
export interface SentClosing {
  key: string;
  messages: string[];
  acked?: { transcriptId: string; queue: string; jobId: string };
}

/** All requests sent, with their responses. */
export interface Ledger {
  transcripts: SentTranscript[];
  closings: SentClosing[];
  /**
   * Counts of unsuccessful responses by code. `no_answer` counts connections that were refused or reset by a
   * kill.
   */
  refused: Map<string, number>;
}

/** The text of the transcript for a key: one to thirty lines, different for every key. */
export function textOf(key: string): string {
  const digest = createHash('sha256').update(key).digest('hex');
  const lines = 1 + (Number.parseInt(digest.slice(0, 2), 16) % 30);
  return Array.from(
    { length: lines },
    (_, n) => `${n % 2 === 0 ? 'Ana' : 'Bot'}: ${key} says ${digest.slice(n, n + 24)} in line ${n}.`,
  ).join('\n');
}

export const messagesOf = (key: string): string[] => [
  `I need a table for four, ${key}.`,
  `For when is it, ${key}?`,
  `Tomorrow at seven, ${key}.`,
];
