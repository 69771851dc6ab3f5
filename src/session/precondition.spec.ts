import type { ProblemError } from '../http/index.js';
import { entityTagOf, isMet, parseIfMatch } from './precondition.js';
import { freshState } from './session-changes.js';
import type { SessionState } from './session.types.js';

const fresh = freshState('acme', 'ann', new Date(), 1000);
const stored = (version: number): SessionState => ({ ...fresh, id: '0'.repeat(24), version });

const isMetFor = (header: string, state: SessionState): boolean => {
  const precondition = parseIfMatch(header);
  if (!precondition) throw new Error('no precondition');
  return isMet(precondition, state);
};

describe('If-Match', () => {
  it('is undefined if the header was not sent', () => {
    expect(parseIfMatch(undefined)).toBeUndefined();
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
      expect(() => parseIfMatch(header)).toThrow(
        expect.objectContaining({
          problem: expect.objectContaining({ status: 400, code: 'invalid_if_match' }) as unknown,
        }) as ProblemError,
      );
    },
  );

  it('is met by the current ETag', () => {
    expect(isMetFor(entityTagOf(stored(7)), stored(7))).toBe(true);
  });
});
