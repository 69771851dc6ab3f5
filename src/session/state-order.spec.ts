import { isBehind, type StateIdentity } from './state-order.js';

const state = (id: string, version: number, createdAt: number): StateIdentity => ({
  id,
  version,
  createdAt: new Date(createdAt),
});

describe('isBehind', () => {
  it.each<[string, StateIdentity, StateIdentity, boolean]>([
    ['an older version', state('a', 1, 5), state('a', 2, 5), true],
    ['the same version', state('a', 2, 5), state('a', 2, 5), false],
    ['a newer version', state('a', 10, 5), state('a', 9, 5), false],
    ['an earlier session of a higher version', state('b', 9, 5), state('a', 1, 6), true],
    ['a later session of a lower version', state('a', 1, 6), state('b', 9, 5), false],
    ['the lower id of one moment', state('a', 9, 5), state('b', 1, 5), true],
    ['the higher id of one moment', state('b', 1, 5), state('a', 9, 5), false],
  ])('judges %s', (_name, one, other, expected) => {
    expect(isBehind(one, other)).toBe(expected);
  });
});
