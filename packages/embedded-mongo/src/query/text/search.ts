import type { Doc } from '../../values/bson.js';
import { ServerError } from '../../values/errors.js';
import { languageOf } from './language.js';
import type { TextQuery } from './query.js';
import { indexedTexts, termScores } from './spec.js';
import type { TextIndexSpec } from './spec.js';
import { fold, folded, termsOf } from './tokens.js';

export interface TextSearch {
  /** What the index is asked for: a match has one of these terms at least. */
  readonly indexTerms: readonly string[];
  matches(doc: Doc): boolean;
  /** How well a document matches; undefined when it does not. */
  score(doc: Doc): number | undefined;
}

interface Wanted {
  words: string[];
  refusedWords: string[];
  phrases: string[];
  refusedPhrases: string[];
}

/** Takes a search string apart: words, `"phrases"`, and what a `-` after a space refuses. */
const takeApart = (search: string): Wanted => {
  const wanted: Wanted = { words: [], refusedWords: [], phrases: [], refusedPhrases: [] };
  const parts = /(?:(?<!\S)(-))?(?:"([^"]*)"|([^\s"]+)|")/gu;
  for (const [, minus, phrase, word] of search.matchAll(parts)) {
    const refused = minus !== undefined;
    if (phrase !== undefined) {
      (refused ? wanted.refusedPhrases : wanted.phrases).push(phrase);
      if (!refused) wanted.words.push(phrase);
    } else if (word !== undefined) (refused ? wanted.refusedWords : wanted.words).push(word);
  }
  return wanted;
};

/** Compiles a `$text` for the collection's text index; BadValue for a language that is none. */
export const textMatcher = (index: TextIndexSpec, query: TextQuery): TextSearch => {
  const language = query.language === undefined ? index.defaultLanguage : languageOf(query.language);
  if (!language) {
    throw new ServerError(
      'BadValue',
      `unsupported language: "${query.language ?? ''}" for text index version 3`,
    );
  }
  const wanted = takeApart(query.search);
  const terms = new Set(wanted.words.flatMap((word) => termsOf(word, language, query)));
  const refused = wanted.refusedWords.flatMap((word) => termsOf(word, language, query));
  const phrases = wanted.phrases.map((phrase) => fold(phrase, query)).filter((phrase) => phrase !== '');
  const refusedPhrases = wanted.refusedPhrases.map((phrase) => fold(phrase, query));
  const indexTerms = [...new Set(wanted.words.flatMap((word) => termsOf(word, language, folded)))];
  const score = (doc: Doc): number | undefined => {
    const texts = indexedTexts(index, doc);
    const scores = termScores(texts, query);
    let sum = 0;
    let found = false;
    for (const term of terms) {
      const own = scores.get(term);
      if (own === undefined) continue;
      found = true;
      sum += own;
    }
    if (!found || refused.some((term) => scores.has(term))) return undefined;
    if (phrases.length > 0 || refusedPhrases.length > 0) {
      const all = texts.map(({ text }) => fold(text, query));
      const has = (phrase: string) => all.some((text) => text.includes(phrase));
      if (!phrases.every(has) || refusedPhrases.some(has)) return undefined;
    }
    return sum;
  };
  return { indexTerms, score, matches: (doc) => score(doc) !== undefined };
};
