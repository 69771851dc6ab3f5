import { z } from 'zod';
import { ProblemError } from './problem.js';
import { externalName, isoDate, jsonObject, parseOrThrow } from './validation.js';

const problemOf = (work: () => unknown): ProblemError => {
  try {
    work();
  } catch (error) {
    if (error instanceof ProblemError) return error;
  }
  throw new Error('no problem was raised');
};

describe('parseOrThrow', () => {
  it('lists every problem with its path', () => {
    const schema = z.strictObject({ name: z.string(), inner: z.object({ n: z.number() }) });
    const { problem } = problemOf(() =>
      parseOrThrow(schema, { name: { $gt: '' }, inner: { n: 'x' }, more: 1 }),
    );
    expect(problem.status).toBe(400);
    const errors = problem.extra?.['errors'] as { path: string }[];
    expect(errors.map(({ path }) => path)).toEqual(expect.arrayContaining(['name', 'inner.n', '']));
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
  ])('refuses %s', (_name, value) => {
    expect(schema.safeParse(value).success).toBe(false);
  });

  it('refuses what nests too deep', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 20; i++) deep = { a: deep };
    expect(jsonObject(10_000).safeParse(deep).success).toBe(false);
  });

  it('takes plain JSON, with dots and dollars inside of keys', () => {
    expect(schema.parse({ 'a.b': { c$: [1, null, 'x'] } })).toEqual({ 'a.b': { c$: [1, null, 'x'] } });
  });
});

describe('names and dates', () => {
  it.each(['ana', '+49 151', 'a/b', '', 'x'.repeat(129), '$gt', 'a\nb'])('externalName judges %j', (text) => {
    expect(externalName.safeParse(text).success).toBe(text === 'ana');
  });

  it('isoDate wants a zone and gives a Date', () => {
    expect(isoDate.parse('2026-01-02T03:04:05+01:00')).toEqual(new Date('2026-01-02T02:04:05Z'));
    expect(isoDate.safeParse('2026-01-02').success).toBe(false);
  });
});
