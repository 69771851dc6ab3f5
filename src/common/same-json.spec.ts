import { sameJson } from './same-json.js';

describe('sameJson', () => {
  it.each([
    [
      { a: 1, b: { c: [0] } },
      { b: { c: [-0] }, a: 1 },
    ],
    [{ a: 1, b: undefined }, { a: 1 }],
    [[], []],
  ])('ignores what the database does not keep: %j and %j', (a, b) => {
    expect(sameJson(a, b)).toBe(true);
  });

  it.each([
    [{ a: 1 }, { a: '1' }],
    [{ a: null }, {}],
    [
      ['a', 'b'],
      ['b', 'a'],
    ],
    [{ a: {} }, { a: [] }],
  ])('tells %j from %j', (a, b) => {
    expect(sameJson(a, b)).toBe(false);
  });
});
