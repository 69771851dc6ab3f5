import { duration } from './duration.js';

it.each([
  [0, 'less than 1 s'],
  [999, 'less than 1 s'],
  [1000, '1 s'],
  [59_999, '59 s'],
  [60_000, '1 min'],
  [3 * 3_600_000 + 5, '3 h'],
  [49 * 3_600_000, '2 d'],
])('%d ms: %s', (ms, text) => {
  expect(duration(ms)).toBe(text);
});
