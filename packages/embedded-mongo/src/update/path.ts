import { fieldKey, fieldName } from '../values/bson.js';
import { ServerError } from '../values/errors.js';

/** A component of an update path: a field name (or array index), `$`, `$[]`, or `$[identifier]`. */
export type PathPart =
  | { kind: 'name'; name: string }
  | { kind: 'position' }
  | { kind: 'all' }
  | { kind: 'filtered'; identifier: string };

export const textOfPart = (part: PathPart): string => {
  if (part.kind === 'name') return part.name;
  if (part.kind === 'position') return '$';
  return part.kind === 'all' ? '$[]' : `$[${part.identifier}]`;
};

const parsePart = (text: string, path: string): PathPart => {
  if (text === '') {
    throw new ServerError(
      'EmptyFieldName',
      `The update path '${path}' contains an empty field name, which is not allowed.`,
    );
  }
  if (text === '$') return { kind: 'position' };
  if (text === '$[]') return { kind: 'all' };
  if (text.startsWith('$[') && text.endsWith(']')) return { kind: 'filtered', identifier: text.slice(2, -1) };
  return { kind: 'name', name: fieldKey(text) };
};

/** Parses and validates the dotted path of an update. */
export const parseUpdatePath = (path: string): PathPart[] => {
  if (/^\w+$/.test(path)) return [{ kind: 'name', name: fieldKey(path) }];
  if (path === '') throw new ServerError('EmptyFieldName', 'An empty update path is not valid.');
  const parts = path.split('.').map((text) => parsePart(text, path));
  if (parts[0]?.kind !== 'name') {
    throw new ServerError(
      'BadValue',
      `Cannot have positional (i.e. '$') element in the first position in path '${path}'`,
    );
  }
  if (parts.filter((part) => part.kind === 'position').length > 1) {
    throw new ServerError('BadValue', `Too many positional (i.e. '$') elements found in path '${path}'`);
  }
  return parts;
};

/** The order in which fields are visited and added: numeric components by value, others by text. */
export const comparePathNames = (a: string, b: string): number => {
  const [x, y] = [fieldName(a), fieldName(b)];
  if (/^\d+$/.test(x) && /^\d+$/.test(y)) return Number(x) - Number(y);
  return x < y ? -1 : x > y ? 1 : 0;
};
