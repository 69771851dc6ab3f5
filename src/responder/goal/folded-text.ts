import { beginningOf } from '../../common/index.js';

/** Only this many characters of a message are searched for triggers and values. */
const SEARCHED_CHARACTERS = 4096;

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
