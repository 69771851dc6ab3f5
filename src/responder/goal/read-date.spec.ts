import { dayIn } from './calendar.js';
import { fold } from './folded-text.js';
import { readDate } from './read-date.js';

/** A Wednesday. */
const today = { year: 2026, month: 5, day: 13 };

describe('readDate', () => {
  it.each([
    ['2026-06-01', '2026-06-01'],
    ['on 2026-6-1 please', '2026-06-01'],
    ['today', '2026-05-13'],
    ['tonight', '2026-05-13'],
    ['Tomorrow', '2026-05-14'],
    ['the day after tomorrow', '2026-05-15'],
    ['in 3 days', '2026-05-16'],
    ['in two weeks', '2026-05-27'],
    ['12 May', '2027-05-12'],
    ['13 May', '2026-05-13'],
    ['14th of May', '2026-05-14'],
    ['May 14th', '2026-05-14'],
    ['may 14, 2027', '2027-05-14'],
    ['1 Jan. 2028', '2028-01-01'],
    ['3 sept', '2026-09-03'],
    ['friday', '2026-05-15'],
    ['on Wednesday', '2026-05-20'],
    ['Monday evening', '2026-05-18'],
    ['next friday', '2026-05-22'],
    ['next monday', '2026-05-18'],
    ['on sat', '2026-05-16'],
    ['this sun', '2026-05-17'],
  ])('reads %j as %s', (text, expected) => {
    expect(readDate(fold(text), today)?.value).toBe(expected);
  });

  it.each(['31 April', '2026-02-30', 'we sat down', 'the sun', 'may I?', '12', 'soon', ''])(
    'finds no date in %j',
    (text) => {
      expect(readDate(fold(text), today)).toBeUndefined();
    },
  );

  it('accepts an abbreviated weekday on its own only if a date was asked for', () => {
    expect(readDate('sat', today)).toBeUndefined();
    expect(readDate('sat', today, { asked: true })?.value).toBe('2026-05-16');
  });

  it('returns the range of the text it used', () => {
    const text = 'a table on 20 may for two';
    const reading = readDate(text, today);
    expect(text.slice(reading?.start, reading?.end)).toBe('20 may');
  });
});

describe('dayIn', () => {
  it('returns the day in the time zone, not in UTC', () => {
    const instant = new Date('2026-05-13T22:30:00Z');
    expect(dayIn(instant, 'UTC')).toEqual({ year: 2026, month: 5, day: 13 });
    expect(dayIn(instant, 'Europe/Berlin')).toEqual({ year: 2026, month: 5, day: 14 });
  });
});
