import * as chrono from 'chrono-node';
import { beginningOf } from '../../common/index.js';
import { type CalendarDay, isoDay } from './calendar.js';
import { fold } from './folded-text.js';
import { localNumber } from './local-numbers.js';
import type { Reading } from './reading.js';
import type { TimeHints } from './read-time.js';

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

/** A date or time in the message, as a range of the folded text. */
interface Found {
  start: number;
  end: number;
  components: Parsed['start'];
}

/**
 * Reads dates, times and numbers of a message in the language of the tenant. The parts of a message are used
 * once for each kind: "demain à 19h" is a date and a time.
 */
export class LocalValues {
  private found: readonly Found[] | undefined;
  /** Those of which the date was used; their range is blank in the rest of the text. */
  private readonly dated = new Set<Found>();

  /** @param content the message as it was sent; readings refer to its folded text */
  constructor(
    private readonly content: string,
    private readonly language: LocalLanguage,
    private readonly today: CalendarDay,
  ) {}

  /** Reads the first date that the folded text `rest` still contains, as YYYY-MM-DD. */
  date(rest: string): Reading<string> | undefined {
    for (const found of this.all()) {
      const { components, start, end } = found;
      const isDate = components.isCertain('day') || components.isCertain('weekday');
      if (!isDate || this.dated.has(found) || isBlank(rest, start, end)) continue;
      const [year, month, day] = [components.get('year'), components.get('month'), components.get('day')];
      if (year === null || month === null || day === null) continue;
      this.dated.add(found);
      return { value: isoDay({ year, month, day }), start, end };
    }
    return undefined;
  }

  /** Reads the first time of day that `rest` still contains, as HH:MM. */
  time(rest: string, { earliest }: Pick<TimeHints, 'earliest'>): Reading<string> | undefined {
    for (const found of this.all()) {
      const { components, start, end } = found;
      if (!components.isCertain('hour')) continue;
      if (isBlank(rest, start, end) && !this.dated.has(found)) continue;
      const hour = components.get('hour');
      const minute = components.get('minute') ?? 0;
      if (hour === null) continue;
      const said = clock(hour, minute);
      const isTooEarly = earliest !== undefined && said < earliest && hour < 12;
      return { value: isTooEarly ? clock(hour + 12, minute) : said, start, end };
    }
    return undefined;
  }

  /** Reads the first number of `rest` that fits. */
  number(rest: string, asked: boolean, fits: (value: number) => boolean): Reading<number> | undefined {
    return localNumber(rest, this.language, asked, fits);
  }

  private all(): readonly Found[] {
    this.found ??= this.parse();
    return this.found;
  }

  private parse(): Found[] {
    const text = beginningOf(this.content, SEARCHED_CHARACTERS).normalize('NFC');
    const { year, month, day } = this.today;
    // Noon, so that no result is moved to another day.
    const reference = { instant: new Date(Date.UTC(year, month - 1, day, 12)), timezone: 0 };
    return parsers[this.language]
      .parse(text, reference, { forwardDate: true })
      .map(({ index, text: { length }, start: components }) => ({
        start: foldedLength(text.slice(0, index)),
        end: foldedLength(text.slice(0, index + length)),
        components,
      }));
  }
}

const foldedLength = (text: string): number => fold(text).length;

const isBlank = (text: string, start: number, end: number): boolean => text.slice(start, end).trim() === '';

const clock = (hour: number, minute: number): string =>
  `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`;
