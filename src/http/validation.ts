import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';
import { z } from 'zod';
import { type FieldProblem, validationFailed } from './problem.js';

interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

interface SchemaResult {
  readonly issues?: readonly Issue[] | undefined;
  readonly value?: unknown;
}

const toFieldProblem = ({ message, path = [] }: Issue): FieldProblem => ({
  path: path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.'),
  message,
});

function valueOf({ issues, value }: SchemaResult): unknown {
  if (issues) throw validationFailed(issues.map(toFieldProblem));
  return value;
}

/**
 * Creates the pipe that validates `@Body({ schema })`, `@Query({ schema })` and `@Param(name, { schema })`
 * with their zod schemas and responds with 400 and all problems. Unlike Nest's own pipe, it is synchronous
 * and does not traverse the whole value: the JSON parser already rejects keys that could change a prototype.
 */
export const createValidationPipe = (): PipeTransform => ({
  transform: (value: unknown, { schema, type }: ArgumentMetadata): unknown => {
    if (!schema || type === 'custom') return value;
    const result = schema['~standard'].validate(value);
    if (type === 'body' && value === undefined && 'issues' in result && result.issues)
      throw validationFailed([{ path: '', message: 'send a JSON body with content-type: application/json' }]);
    return result instanceof Promise ? result.then(valueOf) : valueOf(result);
  },
});

/**
 * Makes null the same as leaving a member out, for each optional member of an object that does not take null
 * as a value of its own. Clients in Go, Java and Python send null for what they do not have, and the API
 * itself returns null there. Not for merge patches, in which null removes a member.
 */
export function nullIsAbsent<Schema extends z.ZodObject>(schema: Schema): z.ZodPreprocess<Schema> {
  const members = Object.entries(schema.shape as Readonly<Record<string, z.core.$ZodType>>).filter(
    ([, member]) => member._zod.optin !== undefined && !z.safeParse(member, null).success,
  );
  const optional: ReadonlySet<string> = new Set(members.map(([name]) => name));
  return z.preprocess((value) => withoutNulls(value, optional), schema);
}

function withoutNulls(value: unknown, names: ReadonlySet<string>): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const members = Object.entries(value);
  const isAbsent = ([name, member]: [string, unknown]): boolean => member === null && names.has(name);
  return members.some(isAbsent) ? Object.fromEntries(members.filter((member) => !isAbsent(member))) : value;
}

/** Most ids consist of these alone. */
const plainName = /^[!-~]+$/;
const unsuitable = /[\p{Cc}\p{Surrogate}\p{Zl}\p{Zp}]/u;
// Joiners and variation selectors are part of words and emoji in some scripts, but only next to a visible
// character.
const joiner = '\\u200c|\\u200d';
const partOfWord = `${joiner}|\\ufe0e|\\ufe0f`;
const invisible = new RegExp(
  `[\\ufff9-\\ufffb]|(?!${partOfWord})\\p{Default_Ignorable_Code_Point}|` +
    `(?<=^|\\s|${joiner})(?:${partOfWord})|(?:${joiner})(?=\\s|$)`,
  'u',
);

/** Maximum length of an identifier, code points. */
const MAX_NAME = 256;

/** Returns why a text cannot be an identifier, or undefined if it can. */
function problemOfName(text: string): string | undefined {
  if (text === '.' || text === '..')
    return 'must not be "." or "..", which cannot be addressed in the path of a URL';
  if (text.length > MAX_NAME && (text.length > 2 * MAX_NAME || [...text].length > MAX_NAME))
    return `must be at most ${MAX_NAME} characters`;
  if (plainName.test(text)) return undefined;
  if (unsuitable.test(text)) return 'must not contain control characters, line separators or lone surrogates';
  if (text.trim() !== text) return 'must not begin or end with white space';
  if (invisible.test(text)) return 'must not contain invisible or text-direction characters';
  return undefined;
}

/**
 * An identifier that a tenant or a channel has chosen, in any script, such as `auth0|5f7c8ec7`,
 * `gid://shopify/Customer/6210` or `+49 151 000`. It is kept exactly, without normalization, and appears in
 * URLs (percent-encoded), logs and keys. No part of it may be invisible, so that two ids that look the same
 * in a log are the same unless they use look-alike letters.
 */
export const externalName = z
  .string()
  .min(1, 'must not be empty')
  .superRefine((text, context) => {
    const message = problemOfName(text);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  })
  .meta({ maxLength: MAX_NAME });

/** A text of visible characters, kept exactly: unlike trimming, this changes no text. */
export const visibleText = (maxLength: number): z.ZodString =>
  z
    .string()
    .min(1)
    .max(maxLength)
    .refine((text) => text.trim() !== '', 'must not be blank');

/**
 * An absolute URL, kept exactly. `z.url()` accepts more, but removes white space at the ends, and tabs and line
 * breaks anywhere.
 * @param schemes the allowed ones, for example `https:`; without it, any
 */
export const exactUrl = (message: string, schemes?: ReadonlySet<string>): z.ZodString =>
  z
    .string()
    .max(8192)
    .refine((text) => isUrl(text, schemes), { error: message, abort: true })
    .meta({ format: 'uri' });

function isUrl(text: string, schemes?: ReadonlySet<string>): boolean {
  if (/\p{Cc}/u.test(text) || text.trim() !== text || !URL.canParse(text)) return false;
  const { protocol } = new URL(text);
  if (schemes && !schemes.has(protocol)) return false;
  // The parser takes "https:example.com" too.
  return !/^https?:$/.test(protocol) || /^https?:\/\//i.test(text);
}

export const objectIdString = z
  .string()
  .regex(/^[0-9a-f]{24}$/, 'must be an id of 24 lowercase hexadecimal digits');

/** The page size in a query string. */
export const pageLimit = z.coerce
  .number()
  .int()
  .min(1)
  .max(200)
  .default(50)
  .meta({
    description:
      'Maximum number of rows. A page also ends when it has about 2 MiB of content; `nextCursor` is null on the ' +
      'last page only',
  });

/** A date as ISO 8601 text, parsed to a `Date`. */
export const isoDate = z.iso
  .datetime({ offset: true, error: 'must be an ISO 8601 date and time, for example 2026-01-31T12:00:00Z' })
  .transform((text) => new Date(text));

const MAX_OBJECT_DEPTH = 12;

/** Maximum length of a key at the top of a free-form object, UTF-16 code units. */
const MAX_KEY = 256;

/**
 * Maximum number of values and keys in a free-form object. Each takes about 10 µs until it is stored, in which the
 * process serves no other request.
 */
export const MAX_OBJECT_VALUES = 4_000;

/** Counts values and keys, of which an object or array has one for each member or item and those inside. */
export function countValues(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  let count = 1;
  if (Array.isArray(value)) for (const item of value) count += countValues(item);
  else for (const member of Object.values(value)) count += 1 + countValues(member);
  return count;
}

const isBadKey = (key: string): boolean => key.startsWith('$') || key === '_bsontype' || key.includes('\0');

/** Returns why a value cannot be part of a free-form object, or undefined if it can. */
function problemOfPart(value: unknown, levels: number): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  // A malicious body may nest deeper than the call stack allows.
  if (levels === 0) return `must not nest deeper than ${MAX_OBJECT_DEPTH} levels`;
  if (!Array.isArray(value) && Object.keys(value).some(isBadKey))
    return 'keys must not begin with "$", be "_bsontype" or contain NUL';
  for (const part of Object.values(value) as unknown[]) {
    const problem = problemOfPart(part, levels - 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function problemOfObject(value: unknown, maxBytes: number, maxValues: number): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'must be an object';
  const problem = problemOfPart(value, MAX_OBJECT_DEPTH);
  if (problem !== undefined) return problem;
  if (Object.keys(value).some(({ length }) => length > MAX_KEY))
    return `must have keys of at most ${MAX_KEY} characters`;
  if (countValues(value) > maxValues) return `must have at most ${maxValues} values and keys`;
  return Buffer.byteLength(JSON.stringify(value)) > maxBytes
    ? `must be at most ${maxBytes} bytes of JSON`
    : undefined;
}

/**
 * A free-form JSON object (metadata, slots, context). Keys that begin with `$` are rejected, so that no part of it
 * can act as a query or update operator, and so is `_bsontype`, by which the driver identifies its own classes.
 * Unlike `z.record`, it does not copy the object, which takes 9 µs per key.
 * @param maxBytes maximum size, bytes of JSON
 */
export const jsonObject = (
  maxBytes: number,
  maxValues = MAX_OBJECT_VALUES,
): z.ZodType<Record<string, unknown>> =>
  z
    .unknown()
    .superRefine((value, context) => {
      const message = problemOfObject(value, maxBytes, maxValues);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    })
    .meta({ type: 'object', additionalProperties: true }) as z.ZodType<Record<string, unknown>>;
