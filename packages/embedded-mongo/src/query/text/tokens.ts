import type { Language } from './language.js';

export interface Sensitivity {
  caseSensitive: boolean;
  diacriticSensitive: boolean;
}

/** How terms are kept in an index. */
export const folded: Sensitivity = { caseSensitive: false, diacriticSensitive: false };

const delimiters = /[\p{Dash}\p{Pattern_Syntax}\p{Quotation_Mark}\p{Terminal_Punctuation}\p{White_Space}]+/u;
const delimitersButApostrophe =
  /(?:(?!['’])[\p{Dash}\p{Pattern_Syntax}\p{Quotation_Mark}\p{Terminal_Punctuation}\p{White_Space}])+/u;

/** A text without the differences that a search does not look at. */
export const fold = (text: string, { caseSensitive, diacriticSensitive }: Sensitivity): string => {
  const cased = caseSensitive ? text : text.toLowerCase();
  return diacriticSensitive ? cased : cased.normalize('NFD').replace(/\p{Mn}+/gu, '');
};

/** The terms of a text in their order: words without stop words, stemmed. */
export const termsOf = (text: string, language: Language, sensitivity: Sensitivity): string[] => {
  const terms: string[] = [];
  const words = text.split(language.apostropheInWords ? delimitersButApostrophe : delimiters);
  for (const word of words) {
    if (word === '') continue;
    const seen = fold(word, sensitivity);
    if (language.isStopWord(seen.toLowerCase())) continue;
    terms.push(sensitivity.caseSensitive ? stemCased(seen, language) : language.stem(seen));
  }
  return terms;
};

/** The stem of a word in which capitals count: as much of the word as its stem has letters, where they agree. */
const stemCased = (word: string, language: Language): string => {
  const stem = language.stem(word.toLowerCase());
  return word.toLowerCase().startsWith(stem) ? word.slice(0, stem.length) : stem;
};
