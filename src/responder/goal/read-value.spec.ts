import { fold } from './folded-text.js';
import { type GoalSlot, goalSlot } from './goal-template.js';
import { readValue } from './read-value.js';

const today = { year: 2026, month: 5, day: 13 };
const slot = (rest: object): GoalSlot => goalSlot.parse({ name: 'value', prompt: 'Which?', ...rest });
const read = (text: string, rest: object, asked = false): unknown =>
  readValue(fold(text), slot(rest), { today, asked, whole: fold(text) })?.value;

describe('readValue', () => {
  it.each([
    ['for 4 people', 4],
    ['4, please', 4],
    ['2.5 kg', 2.5],
    ['for two', 2],
    ['twelve of us', 12],
    ['1,000', 1000],
  ])('reads the number in %j', (text, expected) => {
    expect(read(text, { kind: 'number' })).toBe(expected);
  });

  it.each(['I want one thing', 'order A-4', '#4', '4pm', 'v1.2.3'])('finds no number in %j', (text) => {
    expect(read(text, { kind: 'number' })).toBeUndefined();
  });

  it('reads "one" as a number if a number was asked for', () => {
    expect(read('just one', { kind: 'number' }, true)).toBe(1);
  });

  it('respects the limits of a number slot', () => {
    expect(read('60', { kind: 'number', min: 1, max: 50 }, true)).toBeUndefined();
    expect(read('2.5', { kind: 'number', integer: true }, true)).toBeUndefined();
    expect(read('50', { kind: 'number', min: 1, max: 50 }, true)).toBe(50);
  });

  it('reads e-mail addresses', () => {
    expect(read('Write to Anna.B+x@Mail.example.org, thanks', { kind: 'email' })).toBe(
      'anna.b+x@mail.example.org',
    );
    expect(read('anna at example', { kind: 'email' })).toBeUndefined();
  });

  it('reads phone numbers as digits with the plus sign', () => {
    expect(read('call +49 (30) 123-4567', { kind: 'phone' })).toBe('+49301234567');
    expect(read('room 123', { kind: 'phone' })).toBeUndefined();
  });

  it('reads codes that contain a digit, short ones only if asked for', () => {
    expect(read('it is #a-1042.', { kind: 'code' })).toBe('A-1042');
    expect(read('my order', { kind: 'code' })).toBeUndefined();
    expect(read('my 2 orders', { kind: 'code' })).toBeUndefined();
    expect(read('7', { kind: 'code' }, true)).toBe('7');
  });

  it('reads choices by name, longest first, ignoring case and diacritics', () => {
    const options = ['Café', 'Café au lait', 'Tea'];
    expect(read('a cafe-au-LAIT please', { kind: 'choice', options })).toBe('Café au lait');
    expect(read('CAFÉ', { kind: 'choice', options })).toBe('Café');
    expect(read('steamed', { kind: 'choice', options })).toBeUndefined();
  });

  it('reads a number as the position of a choice only if asked for', () => {
    const options = ['small', 'large'];
    expect(read('2', { kind: 'choice', options }, true)).toBe('large');
    expect(read('2', { kind: 'choice', options })).toBeUndefined();
    expect(read('3', { kind: 'choice', options }, true)).toBeUndefined();
  });

  it.each(['email', 'phone', 'code', 'number', 'date', 'time'])(
    'searches hostile messages of maximum length for a %s in reasonable time',
    (kind) => {
      const hostile = ['1 ', 'a-', 'a@a.', '1.', 'in ', '1:'].map((part) => part.repeat(3000));
      // Exponential or cubic matching of 4,096 characters would not finish.
      expect(() => {
        for (const text of hostile) read(text, { kind }, true);
      }).not.toThrow();
    },
  );
});
