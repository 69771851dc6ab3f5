import type { CalendarDay } from './calendar.js';
import { fold, foldWords, indexOfPhrase } from './folded-text.js';
import type { GoalResponderConfig, GoalSlot, GoalTemplate, SlotKind } from './goal-template.js';
import { readValue } from './read-value.js';

/** Longest value of a text slot, characters. */
const MAX_TEXT_VALUE = 2000;

/** The narrower a kind's pattern, the earlier it takes its part of the message, so that "12 May" is no number of people. */
const readingOrder: readonly SlotKind[] = ['email', 'date', 'time', 'phone', 'code', 'choice', 'number'];

const correctionWords = ['actually', 'instead', 'change', 'rather', 'make it', 'correction', 'i meant'];

/** A message as the goal responder sees it. */
export class GoalMessage {
  readonly folded: string;
  readonly words: string;

  constructor(
    readonly content: string,
    private readonly today: CalendarDay,
  ) {
    this.folded = fold(content);
    this.words = foldWords(content);
  }

  /** It is meant to change what was said before. */
  get isCorrection(): boolean {
    return correctionWords.some((phrase) => indexOfPhrase(this.words, phrase) >= 0);
  }

  /**
   * Reads the values of `slots`. Each part of the message is used once. The slot that was asked for may be given barely ("7"); a
   * text slot takes the whole message, and then nothing else is read.
   */
  readSlots(slots: readonly GoalSlot[], asked?: GoalSlot): Record<string, string | number> {
    if (asked?.kind === 'text') {
      const text = this.content.trim().slice(0, MAX_TEXT_VALUE);
      return text === '' ? {} : { [asked.name]: text };
    }
    const values: Record<string, string | number> = {};
    let rest = this.folded;
    for (const kind of readingOrder)
      for (const slot of slots.filter((candidate) => candidate.kind === kind)) {
        const isAsked = slot.name === asked?.name;
        const reading = readValue(rest, slot, { today: this.today, asked: isAsked, whole: this.folded });
        if (!reading) continue;
        values[slot.name] = reading.value;
        rest = blank(rest, reading.start, reading.end);
      }
    return values;
  }

  /** Templates whose triggers it holds, in the order in which they are mentioned. */
  triggered(templates: readonly GoalTemplate[]): GoalTemplate[] {
    return templates
      .map((template) => ({ template, at: firstPhrase(this.words, template.triggers) }))
      .filter(({ at }) => at >= 0)
      .sort((a, b) => a.at - b.at)
      .map(({ template }) => template);
  }

  /** Templates of which it is a trigger and nothing more. */
  triggeredExactly(templates: readonly GoalTemplate[]): GoalTemplate[] {
    return templates.filter(({ triggers }) => triggers.some((phrase) => foldWords(phrase) === this.words));
  }

  /** It asks to drop the goal: a cancel phrase in a message of a few words. */
  isCancel({ cancelPhrases }: GoalResponderConfig): boolean {
    const isShort = this.words.split(' ').length <= 5;
    return isShort && firstPhrase(this.words, cancelPhrases) >= 0;
  }
}

function firstPhrase(words: string, phrases: readonly string[]): number {
  const places = phrases.map((phrase) => indexOfPhrase(words, foldWords(phrase))).filter((at) => at >= 0);
  return places.length === 0 ? -1 : Math.min(...places);
}

const blank = (text: string, start: number, end: number): string =>
  text.slice(0, start) + ' '.repeat(end - start) + text.slice(end);
