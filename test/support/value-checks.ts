import type fc from 'fast-check';
import { z } from 'zod';
import type { Field, JsonSchema } from './json-schema.js';
import { meaningOf } from './kept-values.js';
import type { RawResponse } from './raw-request.js';
import { examplesOf } from './value-generators.js';

type Json = Record<string, unknown>;

/**
 * PROPERTY_RUNS multiplies the number of examples, PROPERTY_SEED chooses others. A failure prints both
 * and the smallest failing example.
 */
const factor = Number(process.env['PROPERTY_RUNS'] ?? 1);
/** Only ends what hangs, however many examples there are. */
export const timeoutMs = 120_000 * Math.max(1, factor);
export const seed = Number(process.env['PROPERTY_SEED'] ?? 20_261_130);

const RUNS = 5;
/**
 * Of fields with few values, of arrays and objects with members of their own, and of attachments, which are
 * the same in several routes.
 */
const FEW_RUNS = 2;

/** Other examples for each name, the same in each run. */
export const parameters = <T>(name: string, runs = RUNS): fc.Parameters<T> => ({
  seed: [...name].reduce((sum, character) => (Math.imul(sum, 31) + character.charCodeAt(0)) | 0, seed),
  numRuns: Math.max(1, Math.round(runs * factor)),
  includeErrorInReport: true,
});

/** Number of generated values of a field. */
export const runsOf = ({ path, schema }: Field): number =>
  (schema.enum ?? schema.properties ?? schema.items) ||
  schema.type === 'boolean' ||
  path.includes('attachments')
    ? FEW_RUNS
    : RUNS;

/** Also tries the fixed values of the field. */
export function withExamples(name: string, field: Field): fc.Parameters<[string]> {
  const examples = examplesOf(field);
  const { numRuns = 0, ...rest } = parameters<[string]>(name, runsOf(field));
  return { ...rest, numRuns: numRuns + examples.length, examples };
}

/** Stands for the value of the field under test until the body is text. */
const PLACE = 'the value under test';

export function setAt(target: unknown, [name = '', ...rest]: readonly string[], value: unknown): void {
  const object = target as Json;
  if (rest.length === 0) object[name] = value;
  else setAt(object[name], rest, value);
}

/** The body as JSON text, with `value`, which is JSON text already, at `path`. */
export function bodyWith(body: Json, path: readonly string[], value: string): string {
  const copy = structuredClone(body);
  setAt(copy, path, PLACE);
  return JSON.stringify(copy).replace(JSON.stringify(PLACE), () => value);
}

export function hasAt(target: unknown, [name, ...rest]: readonly string[]): boolean {
  if (name === undefined) return true;
  return (
    typeof target === 'object' && target !== null && name in target && hasAt((target as Json)[name], rest)
  );
}

/** What a JSON text says; undefined if it is malformed. */
export const parsed = (json: string): unknown => {
  try {
    return meaningOf(json);
  } catch {
    return undefined;
  }
};

export const jsonSchemaOf = (schema: z.ZodType): JsonSchema =>
  z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;

export const shown = (value: unknown): string => JSON.stringify(value).slice(0, 1000);

/** @throws Error unless the request was refused properly */
export function expectRefusal({ status, contentType, body }: RawResponse): void {
  const isProblem =
    contentType.startsWith('application/problem+json') &&
    body['status'] === status &&
    typeof body['code'] === 'string';
  if (status < 400 || status >= 500 || status === 429 || !isProblem)
    throw new Error(`answered ${status} ${contentType} ${shown(body)}`);
}
