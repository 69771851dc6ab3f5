import { setImmediate as nextTurn } from 'node:timers/promises';
import { commonplaces, functionWords } from './common-words.js';
import { type Embedder, normalize } from './embedder.js';
import { hashText, mix, seeded, step } from './feature-hash.js';
import { wordsOf } from './words.js';

const DIMENSIONS = 256;

/** Hash seeds of the feature types. */
const WORD = 1;
const PAIR = 2;
const GRAM = 3;

const SHORTEST_GRAM = 3;
const LONGEST_GRAM = 5;

/**
 * Weight of all character n-grams of a word together, relative to the word's own weight. Refers to the
 * Euclidean length, not the sum.
 */
const GRAM_SHARE = 0.5;
const FUNCTION_WORD_WEIGHT = 0.1;
const COMMONPLACE_WEIGHT = 0.4;

/**
 * Each dimension is raised to this power, so that repeated or heavily weighted features do not dominate the
 * vector.
 */
const POWER = 0.7;

/**
 * Maximum time between two yields to the event loop while many texts are embedded, milliseconds. A single
 * text is never interrupted.
 */
const TURN_MS = 1;

const LESS_THAN = 0x3c;
const GREATER_THAN = 0x3e;

const count = (counts: Map<string, number>, key: string): void => {
  counts.set(key, (counts.get(key) ?? 0) + 1);
};

function weightOf(word: string): number {
  if (functionWords.has(word)) return FUNCTION_WORD_WEIGHT;
  return commonplaces.has(word) ? COMMONPLACE_WEIGHT : 1;
}

/**
 * Adds a feature to the dimension, and with the sign, given by its hash. Collisions cancel out on average.
 */
function put(vector: Float64Array, hash: number, weight: number): void {
  const at = hash % DIMENSIONS;
  vector[at] = (vector[at] ?? 0) + (hash >>> 31 ? -weight : weight);
}

/** Adds the n-grams of 3 to 5 UTF-16 units of `<word>`; the brackets mark its beginning and end. */
function putGrams(vector: Float64Array, word: string, weight: number): void {
  const length = word.length + 2;
  const unitAt = (i: number): number =>
    i === 0 ? LESS_THAN : i === length - 1 ? GREATER_THAN : word.charCodeAt(i - 1);
  let grams = 0;
  for (let n = SHORTEST_GRAM; n <= LONGEST_GRAM; n++) grams += Math.max(0, length - n + 1);
  const each = weight / Math.sqrt(grams);
  for (let start = 0; start + SHORTEST_GRAM <= length; start++) {
    let state = seeded(GRAM);
    const end = Math.min(length, start + LONGEST_GRAM);
    for (let i = start; i < end; i++) {
      state = step(state, unitAt(i));
      if (i - start + 1 >= SHORTEST_GRAM) put(vector, mix(state), each);
    }
  }
}

/** Returns the vector of one text: 256 numbers, normalized to length 1 unless the text has no words. */
function vectorOf(text: string): Float32Array {
  const words = new Map<string, number>();
  const pairs = new Map<string, number>();
  let previous: string | undefined;
  for (const word of wordsOf(text)) {
    count(words, word);
    if (previous !== undefined) count(pairs, `${previous} ${word}`);
    previous = word;
  }
  const vector = new Float64Array(DIMENSIONS);
  for (const [word, times] of words) {
    const weight = weightOf(word) * (1 + Math.log(times));
    put(vector, hashText(word, WORD), weight);
    if (!functionWords.has(word)) putGrams(vector, word, GRAM_SHARE * weight);
  }
  // Pairs have full weight even if both words are common: the phrasing distinguishes dialogues about the same
  // subject.
  for (const [pair, times] of pairs) put(vector, hashText(pair, PAIR), 1 + Math.log(times));
  return normalize(Float32Array.from(vector, (value) => Math.sign(value) * Math.abs(value) ** POWER));
}

/**
 * Embeds without any service or model: hashes words, word pairs and parts of words into 256 dimensions. Each
 * is weighted by 1 + ln of its frequency; common English words weigh less.
 *
 * It finds texts that share words, phrases, names, numbers and spellings, including inflected or slightly
 * misspelled ones, in any script. It does not know the meaning of words, so it finds neither synonyms nor
 * translations. The same text always gives the same vector, in every process. Changing any weight or word
 * list requires a new `model` name.
 */
export class BuiltInEmbedder implements Embedder {
  readonly model = 'built-in-256-v2';
  readonly isLocal = true;
  readonly dimensions = DIMENSIONS;

  async embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> {
    signal?.throwIfAborted();
    const vectors: Float32Array[] = [];
    let since = performance.now();
    for (const text of texts) {
      if (performance.now() - since > TURN_MS) {
        await nextTurn();
        signal?.throwIfAborted();
        since = performance.now();
      }
      vectors.push(vectorOf(text));
    }
    return vectors;
  }
}
