import { hasNegation, isNegated, isShifted } from './context-words.js';
import type { Language } from './number-data.js';
import { numberWordsOf } from './number-words.js';
import { asciiDigits } from './read-number.js';
import type { Reading } from './reading.js';
import {
  isNumberAfter,
  isNumberBefore,
  isPartOfDateOrTime,
  isWithoutSpaces,
  patternOf,
  type TemporalWords,
  temporalWordsOf,
  wordsPattern,
} from './temporal-words.js';

export interface TimeHints {
  /** HH:MM. An hour without am or pm that would be earlier is taken as afternoon. */
  earliest?: string | undefined;
  /** True if a time was asked for; a lone number is then an hour. */
  asked?: boolean;
  /** Text to search for "morning" or "evening". Defaults to the text from which the time is read. */
  whole?: string;
}

const partsOfDay = ['morning', 'midday', 'afternoon', 'evening', 'night'] as const;
type PartOfDay = (typeof partsOfDay)[number];

interface Patterns {
  words: TemporalWords;
  time: RegExp;
  /** The word for "at" before a time. */
  at: RegExp;
  /** The word for "in" before a number of hours. */
  duration: RegExp;
  atHours: RegExp;
  named: readonly (readonly [RegExp, string])[];
  greetings: RegExp;
  /** What may follow or precede an hour. */
  details: RegExp;
  partsOfDay: Readonly<Record<PartOfDay, { anywhere: RegExp; after: RegExp; before: RegExp }>>;
  offsets: readonly (readonly [RegExp, number])[];
}

const people =
  /^ ?(?:people|persons?|guests?|of us|personas?|pessoas?|persone|personen|personer|personnes?|leute|mensen|orang|người|человек|людей|осіб|henkilo|henkea|[/%-])/u;

const optional = (name: string, source: string, language: Language): string =>
  source === '' ? '' : `(?:\\s*(?<${name}>${patternOf(source, language)})(?![\\p{L}]))?`;

const spaced = (source: string): string => source.replaceAll(' ', '\\s+');

function timePattern(language: Language, { data }: TemporalWords): string {
  const hour = `(?<hour>\\d{1,2}|${numberWordsOf(language).hours.map(spaced).join('|')})`;
  const before = Object.keys(data.before).join('|');
  const after = Object.keys(data.after).join('|');
  if (isWithoutSpaces(language)) {
    const minute = `(?<late>\\d{1,2}|[零〇一二三四五六七八九十]{1,3})分?`;
    return (
      `(?<![\\d.,:：/〇零一二兩两三四五六七八九十百千半刻差-])${hour}` +
      `(?:[:：](?<minute>[0-5]\\d)|(?<mark>${data.mark})(?:(?<after>${after})|${minute})?)` +
      '(?![\\d一二三四五六七八九十間间])'
    );
  }
  return (
    `(?<![\\p{L}\\p{N}#+-]|\\p{N}[.,:/⁄])${before === '' ? '' : `(?:(?<before>${patternOf(before, language)})\\s+)?`}` +
    `${hour}(?:(?<separator>[:.h])(?<minute>[0-5]\\d))?` +
    // In German, "um 7 am Fenster" is not a time in the morning.
    `(?:${language === 'en' ? ' ?' : ''}(?<half>[ap])\\.? ?m\\b\\.?)?` +
    optional('mark', data.mark, language) +
    optional('hours', data.hours ?? '', language) +
    '(?:(?<=[^\\d\\s])\\s?(?<late>[0-5]\\d)(?![\\d:.,]))?' +
    optional('after', after, language) +
    '(?![\\p{L}\\p{N}_%/⁄-]|[.,:]\\p{N})'
  );
}

const tables = new Map<Language, Patterns>();

function patternsOf(language: Language): Patterns {
  const known = tables.get(language);
  if (known) return known;
  const words = temporalWordsOf(language);
  const { data } = words;
  const word = (source: string): string => wordsPattern(source, language);
  const table: Patterns = {
    words,
    time: new RegExp(timePattern(language, words), 'gu'),
    at: new RegExp(`${word(data.at)}\\s*$`, 'u'),
    duration: new RegExp(`${word(data.duration ?? '')}\\s*$`, 'u'),
    atHours: new RegExp(`${word(data.beforeHours ?? data.at)}\\s*$`, 'u'),
    named: [
      [new RegExp(`(?<!-)${word(data.midnight)}`, 'u'), '00:00'],
      [new RegExp(`(?<!-)${word(data.noon)}`, 'u'), '12:00'],
    ],
    greetings: new RegExp(word(data.greetings), 'gu'),
    details: new RegExp(
      [data.at, data.mark, data.hours ?? '', ...partsOfDay.map((part) => data[part])].map(word).join('|'),
      'gu',
    ),
    partsOfDay: Object.fromEntries(
      partsOfDay.map((part) => [
        part,
        {
          anywhere: new RegExp(word(data[part]), 'u'),
          after: new RegExp(`^[\\s,]*(?:in the |at |pa |ki )?${word(data[part])}`, 'u'),
          before: new RegExp(`${word(data[part])}[\\sの,]*(?:${word(data.at)}\\s*)?$`, 'u'),
        },
      ]),
    ) as Patterns['partsOfDay'],
    offsets: Object.entries({ ...data.before, ...data.after }).map(([source, minutes]) => [
      new RegExp(`^(?:${patternOf(source, language)})$`, 'u'),
      minutes,
    ]),
  };
  tables.set(language, table);
  return table;
}

/** The hour of the day, 0 to 23. Undefined if the part of the day does not fit. */
function hourIn(part: PartOfDay, hour: number): number | undefined {
  if (hour > 12 || hour === 0) return part === 'morning' ? undefined : hour;
  switch (part) {
    case 'morning':
      return hour === 12 ? undefined : hour;
    case 'midday':
      return hour >= 10 ? hour : hour <= 4 ? hour + 12 : undefined;
    case 'afternoon':
      return hour === 12 ? 12 : hour + 12;
    case 'evening':
      return hour === 12 ? 0 : hour + 12;
    case 'night':
      return hour === 12 ? 0 : hour < 6 ? hour : hour + 12;
  }
}

const format = (hour: number, minute: number): string | undefined =>
  hour < 24 && minute < 60
    ? `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`
    : undefined;

type Groups = Partial<Record<string, string>>;

/** One search for a time in a text. */
class TimeSearch {
  private readonly patterns: Patterns;
  private readonly whole: string;
  /** Where the numbers of the text are. */
  private numbers: readonly number[] | undefined;

  constructor(
    private readonly text: string,
    private readonly language: Language,
    private readonly hints: TimeHints,
  ) {
    this.patterns = patternsOf(language);
    const { whole = text } = hints;
    this.whole = whole.replace(this.patterns.greetings, ' ');
  }

  first(): Reading<string> | undefined {
    const matches = [...this.text.matchAll(this.patterns.time)];
    if (this.isAnyNegated(matches)) return undefined;
    const found = matches.map((match, index) => {
      const [start, end] = [match.index, match.index + match[0].length];
      const next = matches[index + 1];
      const isRange = next !== undefined && this.isOneExpression(this.text.slice(end, next.index));
      return { start, end, isRange, value: this.valueOf(match.groups ?? {}, start, end) };
    });
    for (const [index, { start, end, value, isRange }] of found.entries())
      if (value !== undefined && !isRange && found[index - 1]?.isRange !== true) return { value, start, end };
    for (const [pattern, value] of this.patterns.named) {
      const match = pattern.exec(this.text);
      if (!match) continue;
      const [start, end] = [match.index, match.index + match[0].length];
      if (this.isPartOfMore(start, end) || isShifted(this.text, start, end, this.language)) continue;
      return { value, start, end };
    }
    return undefined;
  }

  /** True if the message says what the time is not. Another time in it is then not taken either. */
  private isAnyNegated(matches: readonly RegExpExecArray[]): boolean {
    const { text, language } = this;
    if (!hasNegation(text, language)) return false;
    const named = this.patterns.named
      .map(([pattern]) => pattern.exec(text))
      .filter((match) => match !== null);
    return [...matches, ...named].some(({ 0: said, index }) => {
      const end = index + said.length;
      const range = {
        start: this.startWithAt(index),
        end: this.endWithPart(this.partAround(index, end), end),
      };
      return isNegated(text, range, language);
    });
  }

  private valueOf(groups: Groups, start: number, end: number): string | undefined {
    const { hour: hourText = '', minute, late, half, separator } = groups;
    const atStart = this.startWithAt(start);
    const around = this.partAround(start, end);
    if (!this.isTime(groups, start, end, around !== undefined)) return undefined;
    if (this.isPartOfMore(atStart, end) || this.isPartOfMore(atStart, this.endWithPart(around, end)))
      return undefined;
    if (isShifted(this.text, atStart, this.endWithPart(around, end), this.language)) return undefined;
    if (groups['hours'] !== undefined && this.patterns.duration.test(this.text.slice(0, start).slice(-20)))
      return undefined;
    const hour = this.numberOf(hourText);
    const minutes = this.numberOf(minute ?? late ?? '0');
    if (hour === undefined || minutes === undefined) return undefined;
    // "7時5" may be the beginning of something else.
    if (late !== undefined && minutes < 10 && !/分$|0\d$/u.test(this.text.slice(start, end)))
      return undefined;
    if (half !== undefined)
      return hour >= 1 && hour <= 12 ? format((hour % 12) + (half === 'p' ? 12 : 0), minutes) : undefined;
    if (separator === undefined || groups['before'] === undefined) {
      const offset = this.offsetOf(groups['before'] ?? groups['after']);
      if (offset !== 0 && minutes > 0) return undefined;
      const said = offset < 0 ? (hour === 1 ? 12 : hour - 1) : hour;
      return this.timeOf(said, offset < 0 ? 60 + offset : minutes + offset, hourText, around);
    }
    return undefined;
  }

  /** True if it is clear that the number is an hour. */
  private isTime(groups: Groups, start: number, end: number, hasPartOfDay: boolean): boolean {
    const { minute, separator, half, mark, hours, before, after } = groups;
    if (isWithoutSpaces(this.language)) return true;
    if (half !== undefined || mark !== undefined || before !== undefined || hasPartOfDay) return true;
    if (minute !== undefined && separator !== '.') return true;
    const isFigure = /^\d/u.test(groups['hour'] ?? '');
    const text = this.text.slice(0, start);
    const isAt =
      this.patterns.at.test(text.slice(-20)) &&
      (isFigure || this.language !== 'en') &&
      !people.test(this.text.slice(end));
    if (isAt || (after !== undefined && this.hints.asked)) return true;
    if (hours !== undefined && (this.hints.asked || this.patterns.atHours.test(text.slice(-20)))) return true;
    return this.hints.asked === true && this.isAlone(start, end, isFigure);
  }

  /** True if the message contains no other number; a word must be the whole message. */
  private isAlone(start: number, end: number, isFigure: boolean): boolean {
    if (people.test(this.text.slice(end))) return false;
    if (isPartOfDateOrTime(this.text, { start, end }, this.language, true)) return false;
    if (!isFigure) return !/[\p{L}\p{N}]/u.test(this.text.slice(0, start) + this.text.slice(end));
    this.numbers ??= this.findNumbers();
    return this.numbers.every((index) => index >= start && index < end);
  }

  private findNumbers(): number[] {
    const { isPart } = numberWordsOf(this.language);
    return [...this.text.matchAll(/\p{N}+|\p{L}[\p{L}\p{M}]*/gu)]
      .filter(({ 0: word }) => /^\p{N}/u.test(word) || isPart(word))
      .map(({ index }) => index);
  }

  /** True if two times with this text between them are one expression, such as "7pm to 8pm". */
  private isOneExpression(between: string): boolean {
    if (between.length > 40 || /[\n,;.]/u.test(between)) return false;
    const { isLink } = numberWordsOf(this.language);
    return between
      .replace(this.patterns.details, ' ')
      .split(/[\s–—~〜～-]+/u)
      .every((word) => word === '' || isLink(word));
  }

  /** Where the time begins with the word for "at", or with the part of the day in "午後7時". */
  private startWithAt(start: number): number {
    const before = this.text.slice(Math.max(0, start - 30), start);
    const { at, atHours, partsOfDay: parts } = this.patterns;
    const patterns = isWithoutSpaces(this.language)
      ? partsOfDay.map((part) => parts[part].before)
      : [atHours, at];
    const found = patterns.map((pattern) => pattern.exec(before)).find((match) => match !== null);
    return start - (found?.[0].length ?? 0);
  }

  /** True if words beside the time change it, as in "ten to 7" and "7 heures vingt". */
  private isPartOfMore(start: number, end: number): boolean {
    const { text, language } = this;
    const { besideTime } = this.patterns.words;
    if (besideTime.isBefore(text, start) || besideTime.isAfter(text, end)) return true;
    if (isWithoutSpaces(language)) return false;
    return isNumberBefore(text, start, language) || isNumberAfter(text, end, language);
  }

  /** Where the part of the day after the time ends: "7 de la tarde". */
  private endWithPart(part: PartOfDay | undefined, end: number): number {
    if (part === undefined) return end;
    const after = this.patterns.partsOfDay[part].after.exec(this.text.slice(end, end + 40));
    return end + (after?.[0].length ?? 0);
  }

  private partAround(start: number, end: number): PartOfDay | undefined {
    const [before, after] = [this.text.slice(Math.max(0, start - 30), start), this.text.slice(end, end + 40)];
    return (
      partsOfDay.find((part) => this.patterns.partsOfDay[part].after.test(after)) ??
      (isWithoutSpaces(this.language)
        ? partsOfDay.find((part) => this.patterns.partsOfDay[part].before.test(before))
        : undefined)
    );
  }

  private numberOf(text: string): number | undefined {
    return /^\d+$/u.test(text) ? Number(text) : numberWordsOf(this.language).valueOf(text);
  }

  private offsetOf(words: string | undefined): number {
    return words === undefined
      ? 0
      : (this.patterns.offsets.find(([pattern]) => pattern.test(words))?.[1] ?? 0);
  }

  private timeOf(
    hour: number,
    minute: number,
    hourText: string,
    around: PartOfDay | undefined,
  ): string | undefined {
    const asSaid = format(hour, minute);
    if (hourText.startsWith('0') && hourText.length > 1) return asSaid;
    const found = partsOfDay.filter((part) => this.patterns.partsOfDay[part].anywhere.test(this.whole));
    const part = around ?? (found.length === 1 ? found[0] : undefined);
    if (part !== undefined) {
      const inPart = hourIn(part, hour);
      return inPart === undefined ? undefined : format(inPart, minute);
    }
    if (hour < 1 || hour >= 12 || asSaid === undefined) return asSaid;
    if (found.length > 1) return undefined;
    const { earliest } = this.hints;
    return earliest !== undefined && asSaid < earliest ? format(hour + 12, minute) : asSaid;
  }
}

/**
 * Reads the first time of day in folded text, as HH:MM: "7pm", "7.30 p.m.", "19:30", "noon", "half past
 * seven", "at 7", "las siete y media", "halb acht". Returns undefined if neighboring words modify the time.
 */
export const readTime = (
  text: string,
  hints: TimeHints = {},
  language: Language = 'en',
): Reading<string> | undefined => new TimeSearch(asciiDigits(text), language, hints).first();
