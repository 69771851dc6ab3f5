import { fold } from './folded-text.js';
import { readTime } from './read-time.js';

describe('readTime', () => {
  it.each([
    ['7pm', '19:00'],
    ['7 p.m.', '19:00'],
    ['7:30 PM', '19:30'],
    ['7.30pm', '19:30'],
    ['12am', '00:00'],
    ['12 pm', '12:00'],
    ['19:30', '19:30'],
    ['9:05', '09:05'],
    ['20h15', '20:15'],
    ['noon', '12:00'],
    ['at midnight', '00:00'],
    ['half past seven', '07:30'],
    ['quarter to 8', '07:45'],
    ['quarter to one', '12:45'],
    ["eight o'clock", '08:00'],
    ['at 7', '07:00'],
    ['around 9.30', '09:30'],
    ['at 7 in the evening', '19:00'],
    ['tonight at 8', '20:00'],
  ])('reads %j as %s', (text, expected) => {
    expect(readTime(fold(text))?.value).toBe(expected);
  });

  it.each(['', '7', 'seven', '25:00', '7:75', 'around 20 people', 'at 7 people', 'room 12', 'spam'])(
    'finds no time in %j',
    (text) => {
      expect(readTime(fold(text))).toBeUndefined();
    },
  );

  it.each([
    ['at 7', '19:00'],
    ['7:30', '19:30'],
    ['07:30', '07:30'],
    ['7am', '07:00'],
    ['at 11', '11:00'],
    ['at 9 in the morning', '09:00'],
  ])('with an earliest time of 11:00 reads %j as %s', (text, expected) => {
    expect(readTime(text, { earliest: '11:00' })?.value).toBe(expected);
  });

  it('reads a lone number as the hour only if a time was asked for', () => {
    expect(readTime('7', { asked: true })?.value).toBe('07:00');
    expect(readTime('19', { asked: true })?.value).toBe('19:00');
    expect(readTime('7 or 8', { asked: true })).toBeUndefined();
    expect(readTime('42', { asked: true })).toBeUndefined();
  });
});
