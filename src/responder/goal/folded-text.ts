/** Longest part of a message that is searched for triggers and values, characters. */
const SEARCHED_CHARACTERS = 4096;

/** Lower case without diacritics: "Réservér" -> "reserver". */
export const fold = (text: string): string =>
  text
    .slice(0, SEARCHED_CHARACTERS)
    .normalize('NFD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase();

/** Folded text as words with single spaces between them; all punctuation is gone. */
export const foldWords = (text: string): string =>
  fold(text)
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();

/** Where `phrase` begins in `words` as whole words, -1 when it is not there. Both as `foldWords` gives them. */
export const indexOfPhrase = (words: string, phrase: string): number => ` ${words} `.indexOf(` ${phrase} `);
