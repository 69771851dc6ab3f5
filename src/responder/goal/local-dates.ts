import * as chrono from 'chrono-node';
import { beginningOf } from '../../common/index.js';
import { addDays, type CalendarDay, isoDay, weekdayOf } from './calendar.js';
import { endOfWeekdayAfter, isDeniedDay, isShifted } from './context-words.js';
import { fold, USED } from './folded-text.js';
import { isExact, numberWordsOf } from './number-words.js';
import type { Reading } from './reading.js';
import { isLinkedNumberBefore, isWithoutSpaces, temporalWordsOf, wordsPattern } from './temporal-words.js';

type Parsed = chrono.ParsedResult;

const parsers = {
  ar: chrono.ar,
  de: chrono.de,
  es: chrono.es,
  fi: chrono.fi,
  fr: chrono.fr,
  id: chrono.id,
  it: chrono.it,
  ja: chrono.ja,
  nl: chrono.nl,
  pt: chrono.pt,
  ru: chrono.ru,
  sv: chrono.sv,
  uk: chrono.uk,
  vi: chrono.vi,
  zh: chrono.zh,
} as const;

export type LocalLanguage = keyof typeof parsers;

/** Languages in which dates, times and numbers are read, besides English. */
export const localLanguages = Object.keys(parsers) as LocalLanguage[];

/**
 * Only this many characters are searched for dates and times: the patterns of chrono-node may take quadratic
 * time.
 */
const SEARCHED_CHARACTERS = 500;

/** A day in the message, as a range of the text that can be aligned with the folded text. */
interface Found {
  start: number;
  end: number;
  value: string;
}

const dateParsers = new Map<LocalLanguage, chrono.Chrono>();

/**
 * The parser of the language without the parts that read times: "12 mai à 7" would be a day at 07:00,
 * whatever follows.
 */
function dateParserOf(language: LocalLanguage): chrono.Chrono {
  let parser = dateParsers.get(language);
  if (!parser) {
    const { parsers: all, refiners } = parsers[language].casual;
    parser = new chrono.Chrono({
      parsers: all.filter(
        ({ constructor: { name } }) =>
          !/(?:Casual|Specific)?Time(?:Expression)?Parser|SpecificTime/.test(name),
      ),
      refiners,
    });
    dateParsers.set(language, parser);
  }
  return parser;
}

/** Finds the days in a message in the language of the tenant. */
export class LocalDates {
  private found: readonly Found[] | undefined;
  private isDenied = false;

  /** @param text the message in lower case, aligned with its folded text */
  constructor(
    private readonly text: string,
    private readonly language: LocalLanguage,
    private readonly today: CalendarDay,
  ) {}

  /** Reads the first date that the folded text `rest` still contains, as YYYY-MM-DD. */
  first(rest: string): Reading<string> | undefined {
    this.found ??= this.parse();
    return this.found.find(({ start, end }) => !rest.startsWith(USED.repeat(end - start), start));
  }

  /** True if a day in the message is negated or contradicted, so that no other one may be taken either. */
  get isUnclear(): boolean {
    this.found ??= this.parse();
    return this.isDenied;
  }

  private parse(): Found[] {
    const { language, today } = this;
    const original = beginningOf(this.text, SEARCHED_CHARACTERS);
    const { besideDate, data } = temporalWordsOf(language);
    const spoken = isExact(language) ? original : fold(original);
    let left = original;
    const known: Found[] = [];
    const remove = (source: string, value?: string): void => {
      for (const { 0: found, index: start } of spoken.matchAll(wordsRegExp(source, language))) {
        const end = start + found.length;
        if (left.slice(start, end).trim() === '') continue;
        left = left.slice(0, start) + ' '.repeat(found.length) + left.slice(end);
        if (value !== undefined) known.push({ start, end, value });
      }
    };
    const days = Object.entries(data.days).sort(([a], [b]) => b.length - a.length);
    for (const [source, count] of days) remove(source, isoDay(addDays(today, count)));
    for (const source of [data.greetings, data.morning, data.noon, data.midnight]) remove(source);
    if (isWithoutSpaces(language)) for (const source of [data.afternoon, data.night]) remove(source);
    const isChanged = ({ start, end }: Found): boolean =>
      besideDate.isBefore(spoken, start) ||
      besideDate.isAfter(spoken, end) ||
      isShifted(spoken, start, end, language);
    const unmerged = [...known, ...this.parsed(left, spoken)].sort((a, b) => a.start - b.start);
    const all = withoutOwnWeekdays(unmerged, spoken, language);
    this.isDenied = all.some((found) => isDeniedDay(spoken, found, language));
    if (this.isDenied) return [];
    return all.filter((found, index) => {
      const [before, after] = [all[index - 1], all[index + 1]];
      const isRange =
        (before !== undefined && this.isOneExpression(spoken.slice(before.end, found.start))) ||
        (after !== undefined && this.isOneExpression(spoken.slice(found.end, after.start)));
      return found.value !== '' && !isRange && !isChanged(found);
    });
  }

  /** True if two days with this text between them are one expression, such as "Friday or Saturday". */
  private isOneExpression(between: string): boolean {
    if (/[\n,;]|\. /u.test(between)) return false;
    const { isLink } = numberWordsOf(this.language);
    const { fillers } = temporalWordsOf(this.language).data;
    return between
      .replace(wordsRegExp(fillers, this.language), ' ')
      .split(/[\s–—~-]+/u)
      .every((word) => word === '' || isLink(word));
  }

  /** What chrono-node finds. Those that it did not read completely have no value. */
  private parsed(text: string, spoken: string): Found[] {
    const { year, month, day } = this.today;
    // Noon, so that no result is moved to another day.
    const reference = { instant: new Date(Date.UTC(year, month - 1, day, 12)), timezone: 0 };
    return dateParserOf(this.language)
      .parse(text, reference, { forwardDate: true })
      .flatMap((result) => {
        const { start: components, index: start } = result;
        const end = start + result.text.length;
        if (!components.isCertain('day') && !components.isCertain('weekday')) return [];
        const value = this.isComplete(result, spoken) ? this.valueOf(result) : '';
        return [{ start, end, value }];
      });
  }

  /** A day of the week is the next one after today. */
  private valueOf({ start: components, text }: Parsed): string {
    const value = valueOf(components);
    const isThisWeek = this.language === 'zh' && /[这這本]/u.test(text);
    return !components.isCertain('day') && !isThisWeek && value === isoDay(this.today)
      ? isoDay(addDays(this.today, 7))
      : value;
  }

  private isComplete(result: Parsed, spoken: string): boolean {
    const { index: start, start: components } = result;
    const end = start + result.text.length;
    if (result.end || components.isCertain('hour')) return false;
    if (components.tags().has('result/relativeDateAndTime')) return false;
    const [before, after] = [spoken.slice(0, start).slice(-3), spoken.slice(end, end + 8)];
    if (isWithoutSpaces(this.language)) {
      if (/[\d〇零一二三四五六七八九十/.-]$/u.test(before) || /^[\d/.-]/u.test(after)) return false;
    } else {
      if (/[\p{L}\p{N}_]['’-]?$|[\p{N}][./:–-]\s?$/u.test(before)) return false;
      if (/^(?:['’-]?[\p{L}\p{N}_]|\s?[./–-]\s?\p{N})/u.test(after)) return false;
    }
    const said = spoken.slice(start, end);
    // The weeks of chrono-node begin on Sunday, those of the speaker on Monday.
    if (this.language === 'zh' && weekdayOf(this.today) === 6 && /[下这這]/u.test(said)) return false;
    const hasYear = /\p{N}{4}/u.test(said);
    if (
      /\p{L}$/u.test(said) &&
      /\p{N}/u.test(said) &&
      !hasYear &&
      /^,? ?['’]?\d{2}(?!\d|[:.h]\d|\s?h)/u.test(after)
    )
      return false;
    if (/^\p{N}/u.test(said) && isLinkedNumberBefore(spoken, start, this.language)) return false;
    const { data } = temporalWordsOf(this.language);
    const rest = said.replace(wordsRegExp(data.withinDate, this.language), ' ');
    const hasNumber =
      /[\p{N}一二三四五六七八九十]/u.test(said) ||
      said.split(/[^\p{L}\p{M}]+/u).some((word) => numberWordsOf(this.language).isPart(word));
    return hasNumber || rest.search(wordsRegExp(data.besideDate, this.language)) < 0;
  }
}

/** "12月5日" and "星期六" after it are one day, unless they contradict each other. */
function withoutOwnWeekdays(days: readonly Found[], text: string, language: LocalLanguage): Found[] {
  const joined: Found[] = [];
  for (const day of days) {
    const last = joined.at(-1);
    if (last && day.start < last.end) continue;
    const isDated =
      day.value !== '' && /\p{N}|[一二三四五六七八九十]日/u.test(text.slice(day.start, day.end));
    joined.push(isDated ? { ...day, end: endOfWeekdayAfter(text, day.end, language) } : day);
  }
  return joined;
}

const wordPatterns = new Map<string, RegExp>();

/** The pattern for all of the words of the language. */
function wordsRegExp(source: string, language: LocalLanguage): RegExp {
  const key = `${language} ${source}`;
  let pattern = wordPatterns.get(key);
  if (!pattern) {
    pattern = new RegExp(wordsPattern(source, language), 'gu');
    wordPatterns.set(key, pattern);
  }
  return pattern;
}

function valueOf(components: Parsed['start']): string {
  const [year, month, day] = [components.get('year'), components.get('month'), components.get('day')];
  return year === null || month === null || day === null ? '' : isoDay({ year, month, day });
}
