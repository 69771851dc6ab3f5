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

/** An identifier chosen by the tenant. It appears in URLs, logs and keys. */
export const externalName = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[\p{L}\p{N}._:@+-]+$/u, 'may only contain letters, digits and . _ : @ + -');

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

const maxDepth = 12;

/**
 * Stops at the first level that is too deep, because a malicious body may nest deeper than the call stack
 * allows.
 */
const isDeeperThan = (value: unknown, levels: number): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (levels === 0 || Object.values(value).some((inner) => isDeeperThan(inner, levels - 1)));

const hasBadKey = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (Array.isArray(value)
    ? value.some(hasBadKey)
    : Object.entries(value).some(
        ([key, inner]) =>
          key.startsWith('$') || key === '_bsontype' || key.includes('\0') || hasBadKey(inner),
      ));

/**
 * A free-form JSON object (metadata, slots, context) of at most `maxBytes` bytes of JSON. Keys that begin
 * with `$` are rejected, so that no part of it can act as a query or update operator, and so is `_bsontype`,
 * by which the driver identifies its own classes.
 */
export const jsonObject = (maxBytes: number): z.ZodType<Record<string, unknown>> =>
  z
    .record(z.string().max(256), z.unknown())
    .refine((value) => !isDeeperThan(value, maxDepth), {
      message: `must not nest deeper than ${maxDepth} levels`,
      abort: true,
    })
    .refine((value) => !hasBadKey(value), {
      message: 'keys must not begin with "$", be "_bsontype" or contain NUL',
    })
    .refine((value) => Buffer.byteLength(JSON.stringify(value)) <= maxBytes, {
      message: `must be at most ${maxBytes} bytes of JSON`,
    });
