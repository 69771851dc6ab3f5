import { isDoc, newDoc, toNumber } from '../../values/bson.js';
import type { Doc, Value } from '../../values/bson.js';
import { ServerError } from '../../values/errors.js';
import { languageOf } from './language.js';
import type { Language } from './language.js';
import { fold, folded, termsOf } from './tokens.js';
import type { Sensitivity } from './tokens.js';

/** What a text index says of the documents' texts. */
export interface TextIndexSpec {
  /** Weights by dotted path. */
  weights: ReadonlyMap<string, number>;
  /** Weight of all other strings, when the index is on `$**`. */
  wildcard: number | undefined;
  defaultLanguage: Language;
  /** Name of the field by which a document, or an embedded one, names its own language. */
  languageOverride: string;
}

/** One string that the index holds. */
export interface IndexedText {
  text: string;
  language: Language;
  weight: number;
}

const languageIn = (doc: Doc, spec: TextIndexSpec, outer: Language): Language => {
  const name = Object.hasOwn(doc, spec.languageOverride) ? doc[spec.languageOverride] : undefined;
  if (name === undefined) return outer;
  if (typeof name !== 'string') {
    throw new ServerError(17261, 'found language override field in document with non-string type');
  }
  const language = languageOf(name);
  if (!language) throw new ServerError(17262, `language override unsupported: ${name}`);
  return language;
};

const visit = (
  doc: Doc,
  prefix: string,
  outer: Language,
  spec: TextIndexSpec,
  found: IndexedText[],
): void => {
  const language = languageIn(doc, spec, outer);
  const take = (value: Value, path: string): void => {
    if (typeof value === 'string') {
      const weight = spec.weights.get(path) ?? spec.wildcard;
      if (weight !== undefined) found.push({ text: value, language, weight });
    } else if (Array.isArray(value)) {
      for (const element of value) take(element, path);
    } else if (isDoc(value)) visit(value, `${path}.`, language, spec, found);
  };
  for (const name of Object.keys(doc)) {
    if (name === spec.languageOverride && !spec.weights.has(prefix + name)) continue;
    take(doc[name], prefix + name);
  }
};

/** Every string of a document that the index holds; 17261 and 17262 for a language that is none. */
export const indexedTexts = (spec: TextIndexSpec, doc: Doc): IndexedText[] => {
  const found: IndexedText[] = [];
  visit(doc, '', spec.defaultLanguage, spec, found);
  return found;
};

interface Tally {
  count: number;
  frequency: number;
  /** What the next occurrence adds to the frequency. */
  next: number;
}

/** Adds what the terms of one text count for to `scores`: less for each repetition, more in a short text. */
const addScores = (
  { text, language, weight }: IndexedText,
  sensitivity: Sensitivity,
  scores: Map<string, number>,
): void => {
  const tallies = new Map<string, Tally>();
  const terms = termsOf(text, language, sensitivity);
  for (const term of terms) {
    const tally = tallies.get(term) ?? { count: 0, frequency: 0, next: 1 };
    tally.count++;
    tally.frequency += tally.next;
    tally.next /= 2;
    tallies.set(term, tally);
  }
  const whole = fold(text, folded);
  for (const [term, { count, frequency }] of tallies) {
    const share = (0.5 * count) / terms.length + 0.5;
    const alone = whole === term.toLowerCase() ? 1.1 : 1;
    scores.set(term, (scores.get(term) ?? 0) + weight * frequency * share * alone);
  }
};

/** What each term of the texts counts for. */
export const termScores = (
  texts: readonly IndexedText[],
  sensitivity: Sensitivity = folded,
): Map<string, number> => {
  const scores = new Map<string, number>();
  for (const text of texts) addScores(text, sensitivity, scores);
  return scores;
};

/** The index's part that is about texts, of its specification as listIndexes shows it. */
export const textIndexSpec = (spec: {
  weights?: Doc | undefined;
  default_language?: string | undefined;
  language_override?: string | undefined;
}): TextIndexSpec => {
  const weights = new Map<string, number>();
  let wildcard: number | undefined;
  for (const [path, weight] of Object.entries(spec.weights ?? newDoc())) {
    if (path === '$**') wildcard = toNumber(weight);
    else weights.set(path, toNumber(weight));
  }
  const defaultLanguage = languageOf(spec.default_language ?? 'english');
  if (!defaultLanguage) throw new ServerError(17264, 'default_language is not valid');
  return { weights, wildcard, defaultLanguage, languageOverride: spec.language_override ?? 'language' };
};
