import type { CalendarDay } from './calendar.js';
import { alignedWithFolded, fold, USED } from './folded-text.js';
import type { GoalResponderConfig, GoalSlot, GoalTemplate, SlotKind } from './goal-template.js';
import { LocalDates } from './local-dates.js';
import { isExact } from './number-words.js';
import { matcherOf, PhraseMatcher, type Word, wordsIn } from './phrase-matcher.js';
import { readValue } from './read-value.js';

/** Maximum length of a text slot's value, characters. Longer answers are refused. */
export const MAX_TEXT_VALUE = 10_000;

/** Slots with stricter patterns are read first, so that "12 May" is not taken as a number of people. */
const strictKinds: readonly SlotKind[] = ['email', 'date', 'time'];
const readingOrder: readonly SlotKind[] = [...strictKinds, 'phone', 'code', 'choice', 'number'];

/** A message without words, such as "00012" or "1,234.5". */
const bareNumber = /^[^\p{L}\p{N}]*\p{N}[^\p{L}]*$/u;

/**
 * The slots in the order in which they are read. Digits of which several kinds could be read fill the slot
 * that was asked for: it is the first of its kind, and comes before all but the strict kinds. A message that
 * consists of digits fills no other slot except a strict one, also if it does not fit the slot asked for.
 */
function inReadingOrder(
  slots: readonly GoalSlot[],
  asked: GoalSlot | undefined,
  isBare: boolean,
): GoalSlot[] {
  const isAsked = ({ name }: GoalSlot): boolean => name === asked?.name;
  const isStrict = ({ kind }: GoalSlot): boolean => strictKinds.includes(kind);
  const placeOf = (slot: GoalSlot): number =>
    isAsked(slot) && !isStrict(slot)
      ? isBare
        ? -1
        : strictKinds.length - 0.5
      : readingOrder.indexOf(slot.kind) - (isAsked(slot) ? 0.25 : 0);
  return slots
    .filter((slot) => slot.kind !== 'text' && (!asked || !isBare || isAsked(slot) || isStrict(slot)))
    .sort((a, b) => placeOf(a) - placeOf(b));
}

const corrections = new PhraseMatcher([
  'actually',
  'instead',
  'change',
  'rather',
  'make it',
  'correction',
  'i meant',
]);

/** A message as the goal responder interprets it. */
export class GoalMessage {
  readonly folded: string;
  /** Its words, separated by single spaces. */
  readonly words: string;
  /** True if the message appears to correct an earlier one. */
  readonly isCorrection: boolean;
  private readonly tokens: readonly Word[];

  constructor(
    readonly content: string,
    private readonly today: CalendarDay,
    private readonly language: GoalResponderConfig['language'] = undefined,
  ) {
    this.folded = fold(content);
    this.tokens = wordsIn(this.folded);
    this.words = this.tokens.map(({ text }) => text).join(' ');
    this.isCorrection = corrections.firstIn(this.tokens) >= 0;
  }

  /**
   * Reads the values of `slots`. Each part of the message is used only once. For the slot that was asked for,
   * a bare value ("7") is sufficient. If a text slot was asked for, the whole message is its value and
   * nothing else is read: without the white space around it, and only if it is not too long.
   */
  readSlots(slots: readonly GoalSlot[], asked?: GoalSlot): Record<string, string | number> {
    if (asked?.kind === 'text') {
      const text = this.content.trim();
      return text === '' || this.isTooLong ? {} : { [asked.name]: text };
    }
    const values: Record<string, string | number> = {};
    const { content, language = 'en', today, folded } = this;
    const aligned = language === 'en' ? folded : alignedWithFolded(content);
    const dates = language === 'en' ? undefined : new LocalDates(aligned, language, today);
    const spoken = (text: string): string => (isExact(language) ? withBlanksOf(aligned, text) : text);
    let rest = folded;
    let words: readonly Word[] | undefined = this.tokens;
    const isOnly = slots.filter(({ kind }) => kind === 'number').length === 1;
    const wordsOfRest = (): readonly Word[] => (words ??= wordsIn(rest));
    for (const slot of inReadingOrder(slots, asked, bareNumber.test(folded))) {
      const reading = readValue(rest, slot, {
        today,
        asked: slot.name === asked?.name,
        whole: folded,
        words: wordsOfRest,
        language,
        dates,
        spoken,
        isOnly,
      });
      if (!reading) continue;
      values[slot.name] = reading.value;
      rest = blank(rest, reading.start, reading.end);
      words = undefined;
    }
    return values;
  }

  /** True if the message is too long to be the value of a text slot. */
  get isTooLong(): boolean {
    return this.content.trim().length > MAX_TEXT_VALUE;
  }

  /** Returns the templates whose triggers occur in the message, in the order of occurrence. */
  triggered(templates: readonly GoalTemplate[]): GoalTemplate[] {
    return templates
      .map((template) => ({ template, at: matcherOf(template.triggers).firstIn(this.tokens) }))
      .filter(({ at }) => at >= 0)
      .sort((a, b) => a.at - b.at)
      .map(({ template }) => template);
  }

  /** Returns the templates one of whose triggers is the entire message. */
  triggeredExactly(templates: readonly GoalTemplate[]): GoalTemplate[] {
    return templates.filter(({ triggers }) => matcherOf(triggers).has(this.words));
  }

  /**
   * True if the message asks to cancel the goal: it contains a cancel phrase and is at most five words long.
   */
  isCancel({ cancelPhrases }: GoalResponderConfig): boolean {
    return this.tokens.length <= 5 && matcherOf(cancelPhrases).firstIn(this.tokens) >= 0;
  }
}

const blank = (text: string, start: number, end: number): string =>
  text.slice(0, start) + USED.repeat(end - start) + text.slice(end);

/** The text without the parts that were used in the other text of the same length. */
const withBlanksOf = (text: string, blanked: string): string =>
  [...text.matchAll(/[^]/gu)].map(({ 0: char, index }) => (blanked[index] === USED ? USED : char)).join('');
