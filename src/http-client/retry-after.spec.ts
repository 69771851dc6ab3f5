import { retryAfterMs } from './retry-after.js';

const now = Date.parse('2026-01-01T00:00:00Z');

it.each([
  ['2', 2000],
  [' 2 ', 2000],
  ['86400', 86_400_000],
  ['Thu, 01 Jan 2026 00:00:03 GMT', 3000],
  ['Wed, 31 Dec 2025 23:59:00 GMT', 0],
  ['soon', undefined],
  ['-1', undefined],
  ['1.5', undefined],
  ['+5', undefined],
  ['', undefined],
  [undefined, undefined],
])('retryAfterMs(%j) is %j', (header, expected) => {
  expect(retryAfterMs(header, now)).toBe(expected);
});
