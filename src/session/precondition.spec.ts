import type { ProblemError } from '../http/index.js';
import { type ConditionalHeaders, entityTagOf, preconditionOf, unmetBy } from './precondition.js';
import { freshState } from './session-changes.js';
import type { SessionState } from './session.types.js';

const fresh = freshState('acme', 'ann', new Date(), 1000);
const stored = (version: number): SessionState => ({ ...fresh, id: '0'.repeat(24), version });

const unmetIn = (headers: ConditionalHeaders, state: SessionState): string | undefined => {
  const precondition = preconditionOf(headers);
  if (!precondition) throw new Error('no precondition');
  return unmetBy(precondition, state);
};

const isMetFor = (header: string, state: SessionState): boolean =>
  unmetIn({ 'if-match': header }, state) === undefined;

const isNoneOf = (header: string, state: SessionState): boolean =>
  unmetIn({ 'if-none-match': header }, state) === undefined;

describe('If-Match', () => {
  it('is undefined if no header was sent', () => {
    expect(preconditionOf({})).toBeUndefined();
  });

  it.each<[string, boolean]>([
    ['"3"', true],
    [' "3" ', true],
    ['"2", "3"', true],
    ['"2","3"', true],
    ['*', true],
    ['"2"', false],
    ['"03"', false],
    ['"3.0"', false],
    ['"3e0"', false],
    ['W/"3"', false],
    ['""', false],
    ['"abc"', false],
    ['"a,3"', false],
    ['"99999999999999999999"', false],
  ])('%s against version 3: %s', (header, expected) => {
    expect(isMetFor(header, stored(3))).toBe(expected);
  });

  it.each(['*', '"0"', '"1"'])('%s is not met if there is no session', (header) => {
    expect(isMetFor(header, fresh)).toBe(false);
  });

  it.each(['', ' ', '3', '"3', '3"', 'w/"3"', '"2", 3', '*, "3"', "'3'", ','])(
    '%p is rejected with 400',
    (header) => {
      expect(() => preconditionOf({ 'if-match': header })).toThrow(
        expect.objectContaining({
          problem: expect.objectContaining({ status: 400, code: 'invalid_if_match' }) as unknown,
        }) as ProblemError,
      );
    },
  );

  it('is met by the current ETag, not by that of a session that was there before', () => {
    expect(isMetFor(entityTagOf(stored(7)), stored(7))).toBe(true);
    expect(isMetFor(entityTagOf(stored(7)), stored(8))).toBe(false);
    const earlier = { ...stored(7), id: '1'.repeat(24) };
    expect(isMetFor(entityTagOf(earlier), stored(7))).toBe(false);
    expect(isNoneOf(entityTagOf(earlier), stored(7))).toBe(true);
  });
});

describe('If-None-Match', () => {
  it.each<[string, boolean]>([
    ['*', false],
    ['"3"', false],
    ['W/"3"', false],
    ['"2", W/"3"', false],
    ['"2"', true],
    ['W/"2"', true],
    ['"abc"', true],
  ])('%s against version 3: %s', (header, expected) => {
    expect(isNoneOf(header, stored(3))).toBe(expected);
  });

  it.each(['*', '"0"', 'W/"1"'])('%s is met if there is no session', (header) => {
    expect(isNoneOf(header, fresh)).toBe(true);
  });

  it.each(['', '3', '"3', '*, "3"'])('%p is rejected with 400', (header) => {
    expect(() => preconditionOf({ 'if-none-match': header })).toThrow(
      expect.objectContaining({
        problem: expect.objectContaining({ status: 400, code: 'invalid_if_none_match' }) as unknown,
      }) as ProblemError,
    );
  });

  it('is evaluated after If-Match', () => {
    const both = { 'if-match': '"2"', 'if-none-match': '*' };
    expect(unmetIn(both, stored(2))).toBe('If-None-Match');
    expect(unmetIn(both, stored(3))).toBe('If-Match');
  });
});
