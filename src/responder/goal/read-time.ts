import { firstReading, numberOf, numberWords, type Reading } from './reading.js';

export interface TimeHints {
  /** HH:MM. An hour without am or pm that would be earlier is taken as afternoon. */
  earliest?: string | undefined;
  /** True if a time was asked for; a lone number is then an hour. */
  asked?: boolean;
  /** Text to search for "morning" or "evening". Defaults to the text from which the time is read. */
  whole?: string;
}

const hourWord = `(\\d{1,2}|${numberWords(1)})`;
const twelveHours = /\b(1[0-2]|0?[1-9])(?:[:.]([0-5]\d))? ?([ap])\.? ?m\b\.?/;
const clock = /\b([01]?\d|2[0-3])[:h]([0-5]\d)\b/;
const named = /\b(noon|midday|midnight)\b/;
const quarter = new RegExp(`\\b(half past|quarter past|quarter to) ${hourWord}\\b`);
const fullHour = new RegExp(`\\b${hourWord} ?o'? ?clock\\b`);
const notPeople = '(?! ?(?:people|persons?|guests?|of us|/|-|%))';
const hourFigure = '(\\d{1,2})(?:\\.([0-5]\\d))?\\b';
const afterPreposition = new RegExp(`\\b(?:at|around|about|by) ${hourFigure}${notPeople}`);
const loneNumber = new RegExp(`^\\D*?\\b${hourFigure}${notPeople}\\D*$`);

const afternoonWords = /\b(afternoon|evening|tonight|night)\b/;
const morningWords = /\bmorning\b/;

const format = (hour: number, minute: number): string | undefined =>
  hour < 24 && minute < 60
    ? `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`
    : undefined;

const quarters: Record<string, number> = { 'half past': 30, 'quarter past': 15, 'quarter to': -15 };

/**
 * Reads the first time of day in folded text, as HH:MM: "7pm", "7.30 p.m.", "19:30", "noon", "half past
 * seven", "at 7".
 */
export function readTime(text: string, hints: TimeHints = {}): Reading<string> | undefined {
  const { whole = text } = hints;
  const ambiguous = (hourText: string, minute: number): string | undefined => {
    const said = numberOf(hourText) ?? 24;
    const mayBeAfternoon = said >= 1 && said < 12 && !hourText.startsWith('0') && !morningWords.test(whole);
    const asMorning = format(said, minute);
    if (!mayBeAfternoon || asMorning === undefined) return asMorning;
    const tooEarly = hints.earliest !== undefined && asMorning < hints.earliest;
    return afternoonWords.test(whole) || tooEarly ? format(said + 12, minute) : asMorning;
  };
  return firstReading<string>(text, [
    [
      twelveHours,
      ([, hour, minute = '0', half]) => format((Number(hour) % 12) + (half === 'p' ? 12 : 0), Number(minute)),
    ],
    [clock, ([, hour = '', minute]) => ambiguous(hour, Number(minute))],
    [named, ([, name]) => (name === 'midnight' ? '00:00' : '12:00')],
    [
      quarter,
      ([, part = '', hour = '']) => {
        const offset = quarters[part] ?? 0;
        const said = numberOf(hour) ?? 24;
        return offset < 0
          ? ambiguous(String(said === 1 ? 12 : said - 1), 60 + offset)
          : ambiguous(String(said), offset);
      },
    ],
    [fullHour, ([, hour = '']) => ambiguous(hour, 0)],
    [afterPreposition, ([, hour = '', minute = '0']) => ambiguous(hour, Number(minute))],
    ...(hints.asked
      ? [
          [
            loneNumber,
            ([, hour = '', minute = '0']: RegExpExecArray) => ambiguous(hour, Number(minute)),
          ] as const,
        ]
      : []),
  ]);
}
