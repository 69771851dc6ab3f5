import { Types } from 'mongoose';
import type { DateIdCursor } from '../../../src/http/index.js';

export const tenantId = 'acme';
export const at = new Date('2026-01-02T03:04:05Z');
export const id = new Types.ObjectId('650000000000000000000001');
export const ids = [id, new Types.ObjectId('650000000000000000000002')] as const;
export const cursor: DateIdCursor = { date: at, id: id.toHexString() };

/** Calls of one method by a name for each; every combination of what shapes its query. */
export type MethodCases<Repository> = Readonly<Record<string, (repository: Repository) => Promise<unknown>>>;

type MethodName<Repository> = {
  [Name in keyof Repository]: Repository[Name] extends (...args: never[]) => unknown ? Name : never;
}[keyof Repository];

/** Cases for each public method. */
export type Cases<Repository> = Readonly<Record<MethodName<Repository>, MethodCases<Repository>>>;

/** A method whose query has one shape. */
export const once = <Repository>(
  call: (repository: Repository) => Promise<unknown>,
): MethodCases<Repository> => ({ '': call });

/** Without a cursor, and after one. */
export const pages = <Repository>(
  call: (repository: Repository, after: DateIdCursor | undefined) => Promise<unknown>,
): MethodCases<Repository> => ({
  'first page': (repository) => call(repository, undefined),
  'next page': (repository) => call(repository, cursor),
});

/** Every choice of the fields of `fields`, from none to all, by the names of those that are chosen. */
export function choices<Fields extends object>(fields: Fields): [string, Partial<Fields>][] {
  let all: [string[], Partial<Fields>][] = [[[], {}]];
  for (const [name, value] of Object.entries(fields))
    all = all.flatMap(([names, chosen]): [string[], Partial<Fields>][] => [
      [names, chosen],
      [[...names, name], { ...chosen, [name]: value as unknown }],
    ]);
  return all.map(([names, chosen]) => [names.join(' '), chosen]);
}

/** A list with each choice of its filter's fields, without a cursor and after one. */
export function lists<Repository, Fields extends object>(
  fields: Fields,
  call: (
    repository: Repository,
    filter: Partial<Fields>,
    after: DateIdCursor | undefined,
  ) => Promise<unknown>,
): MethodCases<Repository> {
  const cases: Record<string, (repository: Repository) => Promise<unknown>> = {};
  for (const [name, filter] of choices(fields))
    for (const [page, one] of Object.entries(pages<Repository>((repo, after) => call(repo, filter, after))))
      cases[`${name} ${page}`] = one;
  return cases;
}
