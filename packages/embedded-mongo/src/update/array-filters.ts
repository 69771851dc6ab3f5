import { formatDoc, isDoc } from '../values/bson.js';
import type { Doc, Value } from '../values/bson.js';
import type { Collation } from '../values/compare.js';
import { ServerError } from '../values/errors.js';
import { compileFilterNode } from '../query/matcher.js';
import { parseFilter } from '../query/parse.js';
import type { FilterNode } from '../query/ast.js';

export type ElementTest = (element: Value) => boolean;

const failed = (message: string): ServerError => new ServerError('FailedToParse', message);

const collectNames = (node: FilterNode, names: Set<string>): void => {
  if (node.kind === 'field') names.add(node.path.split('.')[0] ?? '');
  else if (node.kind === 'not') collectNames(node.child, names);
  else if ('children' in node) for (const child of node.children) collectNames(child, names);
};

const identifierOf = (node: FilterNode): string => {
  const names = new Set<string>();
  collectNames(node, names);
  const [name, other] = names;
  if (name === undefined) {
    throw failed('Cannot use an expression without a top-level field name in arrayFilters');
  }
  if (other !== undefined) {
    throw failed(
      `Error parsing array filter :: caused by :: Expected a single top-level field name, found '${name}' and '${other}'`,
    );
  }
  if (!/^[a-z][a-zA-Z0-9]*$/.test(name)) {
    throw new ServerError(
      'BadValue',
      `Error parsing array filter :: caused by :: The top-level field name must be an alphanumeric string beginning with a lowercase letter, found '${name}'`,
    );
  }
  return name;
};

/** Compiles array filters to tests by identifier. */
export const compileArrayFilters = (filters: Doc[], collation?: Collation): Map<string, ElementTest> => {
  const tests = new Map<string, ElementTest>();
  for (const filter of filters) {
    if (!isDoc(filter)) throw new ServerError('TypeMismatch', 'Each array filter must be an object');
    const node = parseFilter(filter);
    const identifier = identifierOf(node);
    if (tests.has(identifier)) {
      throw failed(`Found multiple array filters with the same top-level field name ${identifier}`);
    }
    const compiled = compileFilterNode(node, collation ? { collation } : {});
    tests.set(identifier, (element) => compiled.matches({ [identifier]: element }));
  }
  return tests;
};

/** Throws unless every `$[id]` has a filter and every filter is used. */
export const checkIdentifiers = (
  paths: readonly string[],
  tests: ReadonlyMap<string, ElementTest>,
  update: Doc,
): void => {
  const used = new Set<string>();
  for (const path of paths) {
    if (!path.includes('$[')) continue;
    for (const found of path.matchAll(/(?:^|\.)\$\[([^\]]+)\](?=\.|$)/g)) {
      const identifier = found[1] ?? '';
      if (!tests.has(identifier)) {
        throw new ServerError(
          'BadValue',
          `No array filter found for identifier '${identifier}' in path '${path}'`,
        );
      }
      used.add(identifier);
    }
  }
  for (const identifier of tests.keys()) {
    if (!used.has(identifier)) {
      throw failed(
        `The array filter for identifier '${identifier}' was not used in the update ${formatDoc(update)}`,
      );
    }
  }
};
