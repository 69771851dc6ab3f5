import { beginningOf } from '../../common/index.js';

/** Only this many characters of a message are searched for triggers and values. */
const SEARCHED_CHARACTERS = 4096;

/** Replaces the characters of a message that were read as a value. Like other punctuation, it ends a phrase. */
export const USED = ';';

/** Converts to lower case without diacritics: "Réservér" -> "reserver". */
export const fold = (text: string): string =>
  beginningOf(text, SEARCHED_CHARACTERS)
    .normalize('NFD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase();

/** Folds text and reduces it to words separated by single spaces, without punctuation. */
export const foldWords = (text: string): string =>
  fold(text)
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();

/**
 * The text in lower case with its diacritics, where it can be aligned with the folded text: a character of the
 * one has the position of the same character in the other.
 */
export const alignedWithFolded = (text: string): string =>
  [...beginningOf(text, SEARCHED_CHARACTERS).normalize('NFC').toLowerCase()]
    .map((char) => {
      const folded = fold(char);
      return folded.length === char.length ? char : folded;
    })
    .join('');
