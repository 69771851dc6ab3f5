import { createHash } from 'node:crypto';

/** A transcript that a client sent, once. */
export interface SentTranscript {
  /** In its metadata; no two have the same. */
  key: string;
  /** What the service answered; unset when the answer never came. */
  id?: string;
}

/** A conversation that a client asked to close, once; its transcript is made by a job. */
export interface SentClosing {
  key: string;
  messages: string[];
  acked?: { transcriptId: string; queue: string; jobId: string };
}

/** Everything that was sent, and what came back. */
export interface Ledger {
  transcripts: SentTranscript[];
  closings: SentClosing[];
  /** Answers other than success, by code; `no_answer` is a connection that a kill cut off or refused. */
  refused: Map<string, number>;
}

/** The text of a key's transcript: of one line to thirty, no two alike. */
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
