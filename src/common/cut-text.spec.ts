import fc from 'fast-check';
import { beginningOf, endOf, shortened } from './cut-text.js';

describe('beginningOf', () => {
  it.each([
    ['a short text', 'abc', 3, 'abc'],
    ['letters', 'abcdef', 3, 'abc'],
    ['a surrogate pair', 'ab😀cd', 3, 'ab'],
    ['an emoji of several characters', 'ab👩‍👩‍👧cd', 6, 'ab'],
    ['a letter with an accent', 'abe\u0301f', 3, 'ab'],
    ['flags', '🇩🇪🇫🇷🇮🇹', 10, '🇩🇪🇫🇷'],
    ['Hangul of parts', '가'.normalize('NFD').repeat(2), 3, '가'.normalize('NFD')],
    ['one grapheme without an end', `a${'\u0301'.repeat(50)}`, 10, `a${'\u0301'.repeat(9)}`],
    ['one emoji that is too long', '👩‍👩‍👧', 4, '👩‍'],
  ])('does not split %s', (_what, text, maxLength, expected) => {
    expect(beginningOf(text, maxLength)).toBe(expected);
  });

  it('returns a well-formed beginning of every well-formed text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.nat(40), (text, maxLength) => {
        const beginning = beginningOf(text, maxLength);
        expect(text.startsWith(beginning)).toBe(true);
        expect(beginning.length).toBeLessThanOrEqual(maxLength);
        expect(/\p{Surrogate}/u.test(beginning)).toBe(false);
      }),
    );
  });
});

describe('endOf', () => {
  it.each([
    ['a short text', 'abc', 3, 'abc'],
    ['letters', 'abcdef', 3, 'def'],
    ['a surrogate pair', 'ab😀cd', 3, 'cd'],
    ['an emoji of several characters', 'ab👩‍👩‍👧cd', 6, 'cd'],
    ['a letter with an accent', 'abe\u0301f', 2, 'f'],
    ['flags', `${'x'.repeat(100)}🇩🇪🇫🇷🇮🇹`, 10, '🇫🇷🇮🇹'],
  ])('does not split %s', (_what, text, maxLength, expected) => {
    expect(endOf(text, maxLength)).toBe(expected);
  });

  it('returns a well-formed end of every well-formed text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), fc.nat(200), (text, maxLength) => {
        const end = endOf(text, maxLength);
        expect(text.endsWith(end)).toBe(true);
        expect(end.length).toBeLessThanOrEqual(maxLength);
        expect(/\p{Surrogate}/u.test(end)).toBe(false);
      }),
    );
  });
});

describe('shortened', () => {
  it('ends with an ellipsis if text was cut off', () => {
    expect([shortened('abcd', 4), shortened('ab😀cd', 4)]).toEqual(['abcd', 'ab…']);
  });
});
