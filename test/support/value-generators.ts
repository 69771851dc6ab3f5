import fc from 'fast-check';
import {
  awkwardCursor,
  awkwardInstant,
  awkwardJson,
  awkwardNumber,
  awkwardString,
  awkwardText,
  awkwardUrl,
  awkwardWord,
} from './awkward-values.js';
import { awkwardKeys } from './awkward-words.js';
import type { Field, JsonSchema, Parameter } from './json-schema.js';

/** Values of a field, as JSON texts. */
type Values = (schema: JsonSchema) => fc.Arbitrary<string>;

const text: Values = ({ maxLength }) => awkwardString(...(maxLength === undefined ? [] : [maxLength]));
const id: Values = ({ maxLength = 256 }) => awkwardString(64, 128, maxLength);
const json =
  (maxBytes: number): Values =>
  () =>
    awkwardJson(maxBytes);
const word =
  (pattern: RegExp, ...limits: readonly number[]): Values =>
  () =>
    awkwardWord(pattern, ...limits);
const number: Values = () => awkwardNumber;

const channel = word(/^[a-z][a-z0-9_-]{0,31}$/, 32);

/** By the name of the member, at whatever depth. A member without an entry fails the suite. */
const byName: Readonly<Record<string, Values>> = {
  ...{ participantId: id, externalId: id, id, tenantId: id, channel },
  ...{ content: text, title: text, name: text, mime: text, summary: text, query: text },
  transcript: () => awkwardString(1024 * 1024),
  type: ({ maxLength }) =>
    awkwardWord(/^[a-z][a-z0-9_-]{0,31}$/, ...(maxLength === undefined ? [] : [maxLength])),
  ...{ url: () => awkwardUrl, cursor: () => awkwardCursor.map((cursor) => JSON.stringify(cursor)) },
  ...{ metadata: json(8192), context: json(256 * 1024), slots: json(256 * 1024), config: json(256 * 1024) },
  ...{ timestamp: () => awkwardInstant, since: () => awkwardInstant, until: () => awkwardInstant },
  // Retention periods, and what a run archives.
  ...{ conversations: number, transcripts: number, jobs: number, olderThanDays: number },
  ...{ size: number, limit: number, min: number, max: number, historyLimit: number, debounceMs: number },
  // Settings of the built-in responders.
  ...{ prompt: text, reprompt: text, completion: text, fallback: text, cancelled: text, resumed: text },
  ...{ triggers: text, options: text, cancelPhrases: text, secret: text },
  timeZone: word(/^(UTC|Europe\/Berlin|asia\/tokyo|EST|\+0[0-9]:00)$/, 64),
  earliest: word(/^([01]\d|2[0-3]):[0-5]\d$/),
};

/** What is sent instead of an array or an object with members of its own. */
const containers = fc.oneof(
  fc.constantFrom('null', '{}', '[]', '[null]', '[[]]', '"x"', '1', '{"0":{}}', '{"length":1}', '[{}]'),
  awkwardJson(1024),
);

const nameOf = (path: readonly string[]): string => path.filter((part) => part !== '0').at(-1) ?? '';

/** @throws Error for a field that is not described here */
export function valuesOf({ path, schema }: Field): fc.Arbitrary<string> {
  if (schema.properties ?? schema.items) return containers;
  if (schema.enum)
    return fc.oneof(fc.constantFrom(...schema.enum.map((value) => JSON.stringify(value))), awkwardString());
  if (schema.type === 'boolean') return fc.constantFrom('true', 'false', '"true"', '1', '{}');
  const name = nameOf(path);
  const values = Object.hasOwn(byName, name) ? byName[name] : undefined;
  if (!values)
    throw new Error(`test/support/value-generators.ts has no values for the field ${path.join('.')}`);
  return values(schema);
}

const encoded = (value: string): string => encodeURIComponent(value.replace(/\p{Surrogate}/gu, '\ufffd'));

/** Escapes that are malformed, or of bytes that are no character, and others that change a path. */
const escapes = fc.constantFrom(
  ...[
    '%',
    '%zz',
    '%ED%A0%80',
    '%C0%80',
    '%FF',
    '%00',
    '%2F',
    '%2e%2e',
    '%2E',
    'a%',
    '%25%32%46',
    '+',
    'a+b',
    '%20',
  ],
  ...['*', "'", '(', ')', '!', '~', ':', '@', ';a=b', ',', '=', '$', 'a'.repeat(8193)],
);

const parametersByName: Readonly<Record<string, fc.Arbitrary<string>>> = {
  cursor: awkwardCursor.map(encoded),
  limit: fc.oneof(
    fc.constantFrom('0', '1', '200', '201', '-1', '1e2', '0x10', '1.0', '%201'),
    awkwardText().map(encoded),
  ),
  afterSeq: fc.oneof(
    fc.constantFrom('0', '9007199254740991', '9007199254740993', '1e400', '-0'),
    awkwardText().map(encoded),
  ),
};

const instantParameter = awkwardInstant.map((value) => encoded(String(JSON.parse(value))));

/** Values of a parameter in a path or query, percent-encoded. */
function urlValues({ name, schema }: Parameter): fc.Arbitrary<string> {
  const special = parametersByName[name.replace('beforeSeq', 'afterSeq')];
  if (special) return special;
  if (name === 'since' || name === 'until') return instantParameter;
  const values = schema.enum?.map(String) ?? [];
  return fc.oneof(
    { weight: 4, arbitrary: awkwardText(schema.maxLength ?? 256).map(encoded) },
    { weight: 2, arbitrary: escapes },
    { weight: 1, arbitrary: fc.constantFrom('66f0c1e9a7b3d2468a1b2c3d', 'x', ...values) },
  );
}

const tags = fc.array(
  fc.oneof(
    fc.constantFrom(
      '*',
      '"1"',
      '"0"',
      'W/"1"',
      '"',
      '""',
      ',',
      ' ',
      '1',
      '"99999999999999999999"',
      '"1e0"',
      'w/"1"',
      '"a,b"',
    ),
    fc.stringMatching(/^[\t -~\x80-\xff]{0,8}$/),
  ),
  { maxLength: 4 },
);

/** Values of any parameter, as they are sent. */
export const parameterValues = (parameter: Parameter): fc.Arbitrary<string> =>
  parameter.in === 'header' ? tags.map((all) => all.join(', ').trim()) : urlValues(parameter);

// Not the long ones, so that both fit into every field.
const shortKeys = awkwardKeys.filter((key) => key.length < 30);
const keysAtTop = JSON.stringify(Object.fromEntries(shortKeys.map((key) => [key, 1])));
const keysWithin = JSON.stringify({
  deep: shortKeys.map((key) => ({ [key]: { [key]: [true, { [key]: 'Date' }] } })),
});
const withKeys = [keysAtTop, keysWithin, ...shortKeys.slice(0, 3).map((key) => JSON.stringify({ [key]: 1 }))];

/** Values that are always tried, as JSON texts, by the name of the field. Many of them were once changed. */
const fixedValues: Readonly<Record<string, readonly string[]>> = {
  ...{ metadata: withKeys, slots: withKeys, context: withKeys, config: withKeys },
  // White space at the ends was removed.
  ...{
    name: ['" x "'],
    title: ['" x "'],
    prompt: ['" x\\n"'],
    fallback: ['"\\u2028x"'],
    triggers: ['" x "'],
  },
  // So it was of URLs, and tabs and line breaks within them.
  url: ['" https://a.example/ "', '"https://a.exa\\nmple/"', '"java\\tscript:x"'],
  // The hint of a secret began with half of a character.
  secret: ['"0123456789abc😀xyz"'],
};

export function examplesOf({ path }: Field): [string][] {
  const name = nameOf(path);
  return (Object.hasOwn(fixedValues, name) ? (fixedValues[name] ?? []) : []).map((value) => [value]);
}
