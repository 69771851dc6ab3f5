import { z } from 'zod';
import { ProblemError } from './problem.js';
import { createValidationPipe, externalName, isoDate, jsonObject } from './validation.js';

const problemOf = (work: () => unknown): ProblemError => {
  try {
    work();
  } catch (error) {
    if (error instanceof ProblemError) return error;
  }
  throw new Error('no problem was raised');
};

describe('createValidationPipe', () => {
  const pipe = createValidationPipe();
  const body = z.object({ count: z.coerce.number(), any: z.record(z.string(), z.unknown()).optional() });

  it('returns the parsed value synchronously', () => {
    expect(pipe.transform({ count: '7' }, { type: 'body', schema: body })).toEqual({ count: 7 });
  });

  it('throws a problem that lists every rejected field', () => {
    const { problem } = problemOf(() => pipe.transform({ any: 1 }, { type: 'body', schema: body }));
    expect(problem).toMatchObject({ status: 400, code: 'validation_failed' });
    expect(problem.extra?.['errors']).toMatchObject([{ path: 'count' }, { path: 'any' }]);
  });

  it('requires a body, unless it is optional', () => {
    const { problem } = problemOf(() => pipe.transform(undefined, { type: 'body', schema: body }));
    expect(problem.detail).toContain('send a JSON body');
    expect(pipe.transform(undefined, { type: 'body', schema: body.optional() })).toBeUndefined();
  });

  it('repeats only a little of a large value that it rejects', () => {
    const strict = z.strictObject({ list: z.array(z.string()).optional() });
    const list = Array<number>(1000).fill(1);
    const { problem } = problemOf(() => pipe.transform({ list }, { type: 'body', schema: strict }));
    const errors = problem.extra?.['errors'] as { path: string; message: string }[];
    expect(errors).toHaveLength(21);
    expect(errors.at(-1)).toEqual({ path: '', message: 'and 980 more' });

    const key = `${'😀'.repeat(500)}`;
    const unknown = problemOf(() => pipe.transform({ [key]: 1 }, { type: 'body', schema: strict }));
    expect(unknown.message.length).toBeLessThanOrEqual(200);
    expect(unknown.message).not.toMatch(/\p{Surrogate}/u);
  });

  it('does not drop keys that the client sent', () => {
    const any = { constructor: 'Smith & Sons', prototype: 'A1' };
    expect(pipe.transform({ count: 1, any }, { type: 'body', schema: body })).toEqual({ count: 1, any });
  });

  it('returns values without a schema, and values of custom decorators, unchanged', () => {
    const value = { a: 1 };
    expect(pipe.transform(value, { type: 'body' })).toBe(value);
    expect(pipe.transform(value, { type: 'custom', schema: body })).toBe(value);
  });
});

describe('jsonObject', () => {
  const schema = jsonObject(64);
  it.each([
    ['an operator key', { $where: '1' }],
    ['an operator key deep inside', { a: [{ $gt: '' }] }],
    ['a key by which the driver tells its classes', { a: { _bsontype: 'Long', low: 1 } }],
    ['a NUL in a key', { 'a\0b': 1 }],
    ['more than the bytes allowed', { a: 'x'.repeat(80) }],
    ['an array', [1]],
  ])('rejects %s', (_name, value) => {
    expect(schema.safeParse(value).success).toBe(false);
  });

  it('rejects values that nest too deeply', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 20; i++) deep = { a: deep };
    expect(jsonObject(10_000).safeParse(deep).success).toBe(false);
  });

  it.each([
    ['keys', Object.fromEntries(Array.from({ length: 2001 }, (_, at) => [`k${at}`, 0]))],
    ['items', { list: Array(4000).fill(0) }],
    ['items of lists', { lists: Array(2000).fill([[]]) }],
  ])('rejects an object that takes long to store because of its many %s', (_name, value) => {
    expect(jsonObject(1_000_000).safeParse(value).error?.issues).toMatchObject([
      { message: 'must have at most 4000 values and keys' },
    ]);
    expect(jsonObject(1_000_000, 10_000).safeParse(value).success).toBe(true);
  });

  it('accepts plain JSON with dots and dollar signs inside keys', () => {
    expect(schema.parse({ 'a.b': { c$: [1, null, 'x'] } })).toEqual({ 'a.b': { c$: [1, null, 'x'] } });
  });
});

describe('names and dates', () => {
  const isName = (text: string): boolean => externalName.safeParse(text).success;

  it.each([
    'ana',
    'auth0|5f7c8ec7c33c6c004bbafe82',
    'gid://shopify/Customer/6210',
    '+49 151 000',
    '19:abc@thread.tacv2;messageid=1481567603816',
    'a%2Fb',
    '$gt',
    '...',
    'प्रिया',
    'Jose\u0301',
    'می\u200cخواهم',
    '👩\u200d👩\u200d👧',
    '❤\ufe0f',
    'x'.repeat(256),
    '👋'.repeat(256),
  ])('externalName accepts %j unchanged', (text) => {
    expect(externalName.parse(text)).toBe(text);
  });

  it.each([
    ['', 'empty'],
    ['.', 'path'],
    ['..', 'path'],
    ['a\nb', 'control'],
    ['a\0b', 'control'],
    ['a\u2028b', 'line separators'],
    ['a\ud800', 'surrogates'],
    [' a', 'white space'],
    ['a\u00a0', 'white space'],
    ['a\u202eb', 'invisible'],
    ['a\u200bb', 'invisible'],
    ['a\u00adb', 'invisible'],
    ['a\ufeffb', 'invisible'],
    ['a\u3164b', 'invisible'],
    ['a\u{e0041}b', 'invisible'],
    ['a\u200d', 'invisible'],
    ['\u200da', 'invisible'],
    ['a\u200d\u200db', 'invisible'],
    ['x'.repeat(257), '256 characters'],
    ['👋'.repeat(257), '256 characters'],
  ])('externalName refuses %j: %s', (text, reason) => {
    expect(isName(text)).toBe(false);
    expect(externalName.safeParse(text).error?.issues[0]?.message).toContain(reason);
  });

  it('isoDate requires a time zone and returns a Date', () => {
    expect(isoDate.parse('2026-01-02T03:04:05+01:00')).toEqual(new Date('2026-01-02T02:04:05Z'));
    expect(isoDate.safeParse('2026-01-02').success).toBe(false);
  });
});
