import { Types } from 'mongoose';
import type { DateIdCursor } from '../../../src/http/index.js';

export const tenantId = 'acme';
export const at = new Date('2026-01-02T03:04:05Z');
export const id = new Types.ObjectId('650000000000000000000001');
export const ids = [id, new Types.ObjectId('650000000000000000000002')] as const;
export const cursor: DateIdCursor = { date: at, id: id.toHexString() };

/** Named calls of one method, one for each combination of arguments that changes the shape of its query. */
export type MethodCases<Repository> = Readonly<Record<string, (repository: Repository) => Promise<unknown>>>;

type MethodName<Repository> = {
  [Name in keyof Repository]: Repository[Name] extends (...args: never[]) => unknown ? Name : never;
}[keyof Repository];

/** The cases of each public method. */
export type Cases<Repository> = Readonly<Record<MethodName<Repository>, MethodCases<Repository>>>;

/** The case of a method whose query always has the same shape. */
export const once = <Repository>(
  call: (repository: Repository) => Promise<unknown>,
): MethodCases<Repository> => ({ '': call });

/** One case without a cursor and one with a cursor. */
export const pages = <Repository>(
  call: (repository: Repository, after: DateIdCursor | undefined) => Promise<unknown>,
): MethodCases<Repository> => ({
  'first page': (repository) => call(repository, undefined),
  'next page': (repository) => call(repository, cursor),
});

/** Every subset of `fields`, from none to all, named after the chosen fields. */
export function choices<Fields extends object>(fields: Fields): [string, Partial<Fields>][] {
  let all: [string[], Partial<Fields>][] = [[[], {}]];
  for (const [name, value] of Object.entries(fields))
    all = all.flatMap(([names, chosen]): [string[], Partial<Fields>][] => [
      [names, chosen],
      [[...names, name], { ...chosen, [name]: value as unknown }],
    ]);
  return all.map(([names, chosen]) => [names.join(' '), chosen]);
}

/** The cases of a list: every subset of its filters, without and with a cursor. */
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
