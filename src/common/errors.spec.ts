import { asError, messageOf, stackOf } from './errors.js';

const error = new TypeError('broken');

it.each([
  [error, 'broken'],
  ['a text', 'a text'],
  [undefined, 'undefined'],
])('messageOf(%p) is %j', (thrown, message) => {
  expect(messageOf(thrown)).toBe(message);
  expect(asError(thrown).message).toBe(message);
});

it('stackOf returns the stack if there is one', () => {
  expect(stackOf(error)).toBe(error.stack);
  expect(stackOf('a text')).toBe('a text');
});

it('asError returns an error unchanged', () => {
  expect(asError(error)).toBe(error);
});
