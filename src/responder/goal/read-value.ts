import type { CalendarDay } from './calendar.js';
import type { GoalSlot } from './goal-template.js';
import type { LocalDates } from './local-dates.js';
import type { Language } from './number-data.js';
import { choiceMatcherOf, type Word, wordsIn } from './phrase-matcher.js';
import { readDate } from './read-date.js';
import { readNumber } from './read-number.js';
import { readTime } from './read-time.js';
import { firstReading, type Reading } from './reading.js';

export interface ReadOptions {
  today: CalendarDay;
  /** True if the previous reply asked for this slot, so that a bare value is meant for it. */
  asked: boolean;
  /**
   * The entire message, including parts already used by other slots: "tonight" makes a later "at 7" an
   * evening time.
   */
  whole: string;
  /** The language of times and numbers. */
  language?: Language;
  /** The days of the message in the tenant's language, if that is not English. */
  dates?: LocalDates | undefined;
  /** Restores the diacritics of a text, and of the whole message, where the language needs them. */
  spoken?: (text: string) => string;
  /** True if no other number is expected in the message. */
  isOnly?: boolean;
  /** The words of the text, if they are known. */
  words?: () => readonly Word[];
}

const emailPattern = /\b[a-z0-9][a-z0-9._%+-]{0,63}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}\b/;
const phonePattern = /(?<![\w+])\+?\d(?:[ ()./-]{0,2}\d){6,14}(?!\d)/;
const codePattern = /(?<![\w-])#?((?=[a-z_/-]{0,39}\d)[a-z0-9][a-z0-9_/-]{2,39})(?![\w-])/;
const shortCodePattern = /(?<![\w-])#?((?=[a-z_/-]{0,39}\d)[a-z0-9][a-z0-9_/-]{0,39})(?![\w-])/;
const fits = (value: number, slot: GoalSlot): boolean =>
  value >= (slot.min ?? -Infinity) &&
  value <= (slot.max ?? Infinity) &&
  (!slot.integer || Number.isInteger(value));

/** Finds an option as whole words, with any punctuation between them; the longest one that occurs. */
function readChoice(
  text: string,
  slot: GoalSlot,
  asked: boolean,
  words: readonly Word[],
): Reading | undefined {
  const options = slot.options ?? [];
  const found = choiceMatcherOf(options).preferredIn(words);
  const [first, last] = [words[found?.first ?? -1], words[found?.last ?? -1]];
  if (found && first && last) return { value: found.phrase, start: first.start, end: last.end };
  const position = asked ? /^\W*(\d{1,2})\W*$/.exec(text)?.[1] : undefined;
  const chosen = position === undefined ? undefined : options[Number(position) - 1];
  return chosen === undefined ? undefined : { value: chosen, start: 0, end: text.length };
}

const readPhone = (text: string): Reading | undefined =>
  firstReading<string>(text, [[phonePattern, ([whole]) => whole.replace(/[^\d+]/g, '')]]);

/**
 * Reads a value of the slot's kind from folded text. `text` slots are never read here: their value is the
 * whole answer to their own question.
 */
export function readValue(text: string, slot: GoalSlot, options: ReadOptions): Reading | undefined {
  const { today, asked, whole, dates, language = 'en' } = options;
  const { words = () => wordsIn(text), spoken = (said) => said, isOnly = false } = options;
  switch (slot.kind) {
    case 'email':
      return firstReading<string>(text, [[emailPattern, ([whole]) => whole]]);
    case 'date':
      if (dates?.isUnclear === true) return undefined;
      return dates?.first(text) ?? readDate(text, today, { asked, isOnlyEnglish: dates === undefined });
    case 'time':
      return readTime(spoken(text), { earliest: slot.earliest, asked, whole: spoken(whole) }, language);
    case 'phone':
      return readPhone(text);
    case 'code':
      return firstReading<string>(text, [
        [asked ? shortCodePattern : codePattern, ([, code]) => code?.toUpperCase()],
      ]);
    case 'choice':
      return readChoice(text, slot, asked, words());
    case 'number':
      return readNumber(spoken(text), { language, asked, fits: (value) => fits(value, slot), isOnly });
    case 'text':
      return undefined;
  }
}
