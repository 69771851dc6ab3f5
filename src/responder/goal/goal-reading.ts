import { beginningOf } from '../../common/index.js';
import type { CalendarDay } from './calendar.js';
import { fold } from './folded-text.js';
import type { GoalResponderConfig, GoalSlot, GoalTemplate, SlotKind } from './goal-template.js';
import { LocalValues } from './local-values.js';
import { matcherOf, PhraseMatcher, type Word, wordsIn } from './phrase-matcher.js';
import { readValue } from './read-value.js';

/** Maximum length of a text slot's value, characters. */
const MAX_TEXT_VALUE = 2000;

/** Slots with stricter patterns are read first, so that "12 May" is not taken as a number of people. */
const readingOrder: readonly SlotKind[] = ['email', 'date', 'time', 'phone', 'code', 'choice', 'number'];

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
   * nothing else is read.
   */
  readSlots(slots: readonly GoalSlot[], asked?: GoalSlot): Record<string, string | number> {
    if (asked?.kind === 'text') {
      const text = beginningOf(this.content.trim(), MAX_TEXT_VALUE);
      return text === '' ? {} : { [asked.name]: text };
    }
    const values: Record<string, string | number> = {};
    const { content, language, today } = this;
    const local =
      language === undefined || language === 'en' ? undefined : new LocalValues(content, language, today);
    let rest = this.folded;
    let words: readonly Word[] | undefined = this.tokens;
    const wordsOfRest = (): readonly Word[] => (words ??= wordsIn(rest));
    for (const kind of readingOrder)
      for (const slot of slots.filter((candidate) => candidate.kind === kind)) {
        const isAsked = slot.name === asked?.name;
        const reading = readValue(rest, slot, {
          today,
          asked: isAsked,
          whole: this.folded,
          words: wordsOfRest,
          local,
        });
        if (!reading) continue;
        values[slot.name] = reading.value;
        rest = blank(rest, reading.start, reading.end);
        words = undefined;
      }
    return values;
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
  text.slice(0, start) + ' '.repeat(end - start) + text.slice(end);
