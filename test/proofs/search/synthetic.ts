import { Types } from 'mongoose';
import { encodeVector } from '../../../src/search/index.js';
import type { NewTranscript, TranscriptStore } from '../../../src/transcript/index.js';

const BATCH = 500;
const channels = ['whatsapp', 'telegram', 'web', 'sms', 'email'];

export interface SyntheticOptions {
  count: number;
  model: string;
  dimensions: number;
  /**
   * Texts of the rows, used in rotation. The vectors are random, since a search compares every vector
   * regardless of its value.
   */
  texts: readonly string[];
  onRows: (rows: number) => void;
}

function randomVector(dimensions: number): Float32Array {
  const vector = Float32Array.from({ length: dimensions }, () => Math.random() - 0.5);
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

function row(at: number, { model, dimensions, texts }: SyntheticOptions): NewTranscript {
  return {
    _id: new Types.ObjectId(),
    participantId: `participant-${at % 10_000}`,
    channel: channels[at % channels.length] ?? '',
    transcript: texts[at % texts.length] ?? '',
    metadata: {},
    status: 'stored',
    model,
    vector: encodeVector(randomVector(dimensions)),
    createdAt: new Date(),
  };
}

/** Fills a tenant with rows of the form that the transcript pipeline stores. */
export async function insertSynthetic(
  store: TranscriptStore,
  tenantId: string,
  options: SyntheticOptions,
): Promise<void> {
  for (let from = 0; from < options.count; from += BATCH) {
    const size = Math.min(BATCH, options.count - from);
    await store.insert(
      tenantId,
      Array.from({ length: size }, (_, at) => row(from + at, options)),
    );
    options.onRows(size);
  }
}
