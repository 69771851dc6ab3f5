import { decode, isDoc, newDoc, pathKeys, readField, type Doc, type Value } from '../values/bson.js';

/** Stages whose output depends only on the fields that their expressions read. */
const selectiveStages: ReadonlySet<string> = new Set(['$group', '$sortByCount', '$bucket', '$count']);

/** Operators that refer to fields in other ways than `$path`. */
const opaque: ReadonlySet<string> = new Set([
  '$top',
  '$topN',
  '$bottom',
  '$bottomN',
  '$getField',
  '$setField',
  '$unsetField',
]);

/** Above this number of fields, decoding the whole document is cheaper than reading the fields one by one. */
const maxSeparateFields = 6;

/** The top-level fields that a stage reads, or undefined if it may read any field. */
export function fieldsReadBy(stage: Doc | undefined): ReadonlySet<string> | undefined {
  const name = Object.keys(stage ?? {})[0];
  if (!stage || name === undefined || !selectiveStages.has(name)) return undefined;
  const found = new Set<string>();
  return gather(name === '$count' ? null : stage[name], found) ? found : undefined;
}

function gather(value: Value, found: Set<string>): boolean {
  if (typeof value === 'string') {
    if (value.startsWith('$$')) return !/^\$\$(ROOT|CURRENT)(\.|$)/.test(value);
    if (value.startsWith('$')) found.add(pathKeys(value.slice(1))[0]!);
    return true;
  }
  if (Array.isArray(value)) return value.every((item) => gather(item, found));
  if (!isDoc(value)) return true;
  return Object.entries(value).every(([name, inner]) => !opaque.has(name) && gather(inner, found));
}

/** Returns a decoder for stored documents that decodes only what `stage`, the first to read them, needs. */
export function readerFor(stage: Doc | undefined): (bytes: Uint8Array) => Doc {
  const fields = fieldsReadBy(stage);
  if (!fields || fields.size > maxSeparateFields) return decode;
  const names = [...fields];
  return (bytes) => {
    const doc = newDoc();
    for (const name of names) {
      const value = readField(bytes, name);
      if (value !== undefined) doc[name] = value;
    }
    return doc;
  };
}
