import { Types } from 'mongoose';
import { parsed } from './value-checks.js';

class WithToJson {
  readonly hidden = 1;
  toJSON(): string {
    return 'shown';
  }
}

const cyclic: Record<string, unknown> = {};
cyclic['self'] = cyclic;

/** What code within the process can return, but JSON cannot express, or not as it is. */
export const notJson: readonly (readonly [name: string, value: unknown])[] = [
  ['undefined', undefined],
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['a bigint', 10n ** 20n],
  ['a symbol', Symbol('x')],
  ['a function', () => 1],
  ['a date', new Date(0)],
  ['an invalid date', new Date(NaN)],
  ['a map', new Map([['a', 1]])],
  ['a set', new Set([1])],
  ['bytes', Buffer.from('x')],
  ['a regular expression', /x/],
  ['an id of the driver', new Types.ObjectId()],
  ['an instance with toJSON', new WithToJson()],
  ['a value that contains itself', cyclic],
  ['half of a surrogate pair', '\ud83d'],
  ['a key that is half of a surrogate pair', { '\ud83d': 1 }],
  ['the key of the prototype', JSON.parse('{"__proto__":{"a":1}}')],
  ['an object without prototype', Object.assign(Object.create(null) as object, { a: 1 })],
  ['a sparse array', Object.assign([], { 2: 1 })],
];

/** The value as JSON, or undefined if it has none. */
export function asJson(value: unknown): unknown {
  try {
    return parsed(JSON.stringify(value) ?? '');
  } catch {
    return undefined;
  }
}
