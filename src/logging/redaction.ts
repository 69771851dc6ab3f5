import { beginningOf } from '../common/index.js';

/** Replaces secrets in a text, so that it may leave the process. */
export type Redactor = (text: string) => string;

const HIDDEN = '[redacted]';

/**
 * Configured secrets shorter than this are ignored: they could be ordinary words and would match everywhere.
 */
const MIN_SECRET = 8;

const MAX_DEPTH = 6;
const MAX_ITEMS = 100;
const MAX_TEXT = 16_384;
const MAX_CAUSES = 5;

// No pattern replaces quotes or backslashes, so that a JSON line stays valid.
const patterns: readonly (readonly [RegExp, string])[] = [
  // Keys of tenants keep their public part, by which an operator can find and revoke them.
  [/\bck_([0-9a-f]{16})_[\w-]+/g, `ck_$1_${HIDDEN}`],
  [/\badmin_[\w-]{16,}/g, `admin_${HIDDEN}`],
  [/\bsk-[\w-]{8,}/g, `sk-${HIDDEN}`],
  [/\bBearer\s+[\w.~+/=-]{8,}/gi, `Bearer ${HIDDEN}`],
  [/\bauthorization\s*[:=]\s*(?:(?:basic|bearer|digest)\s+)?[^\s"'\\,;]+/gi, `authorization: ${HIDDEN}`],
  [/\b(set-cookie|cookie)\s*[:=]\s*[^\r\n"\\]+/gi, `$1: ${HIDDEN}`],
  [/\b(api[-_]?key|password|secret|access[-_]?token)\s*[:=]\s*[^\s"'\\,;&]+/gi, `$1=${HIDDEN}`],
  // mongodb://user:password@host, redis://:password@host and the like.
  [/\b([a-z][a-z0-9+.-]{1,20}:\/\/)[^\s"'\\]{1,512}@/gi, `$1${HIDDEN}@`],
  // The query of a URL or path.
  [/(\/[^\s"'\\?#]{0,256}\?)[^\s"'\\=]{0,200}=[^\s"'\\]*/g, `$1${HIDDEN}`],
];

/** Lines without any of these, which is most of them, skip the patterns. */
const suspect = /ck_|admin_|sk-|bearer|authorization|cookie|key|password|secret|token|:\/\/|\?/i;

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Creates a redactor for the known formats of secrets, and for the given secrets wherever they occur. */
export function createRedactor(secrets: readonly string[] = []): Redactor {
  const known = secrets
    .filter((secret) => secret.length >= MIN_SECRET)
    .flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])
    .sort((a, b) => b.length - a.length);
  const literal = known.length > 0 ? new RegExp([...new Set(known)].map(escaped).join('|'), 'g') : undefined;
  return (text) => {
    let safe = literal ? text.replace(literal, HIDDEN) : text;
    if (!suspect.test(safe)) return safe;
    for (const [pattern, replacement] of patterns) safe = safe.replace(pattern, replacement);
    return safe;
  };
}

/** The parts of messages in which drivers and parsers quote rejected data: stored rows, request bodies. */
const quotations: readonly (readonly [RegExp, string])[] = [
  [/(dup key: )\{[^\n]*/g, `$1${HIDDEN}`],
  [/(failed for value )[\s\S]*?( \(type)/g, `$1${HIDDEN}$2`],
  [/("|\.\.\.")[\s\S]*("|"\.\.\.) is not valid JSON/g, `${HIDDEN} is not valid JSON`],
  [/Unexpected token [\s\S]{1,3},/g, 'Unexpected token,'],
  [/`[^`]*` is not a valid enum value/g, `${HIDDEN} is not a valid enum value`],
  [/\(`[\s\S]*?`\)/g, `(${HIDDEN})`],
];

/** Removes quoted data from an error message. */
export const withoutQuotations = (message: string): string =>
  quotations.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), message);

/** The parts of an error that are included in logs and reports. */
export interface PlainError {
  type: string;
  message: string;
  stack: string;
  code?: string | number;
  codeName?: string;
  cause?: PlainError;
  errors?: PlainError[];
}

/** Returns only the frames of a stack, because its first lines repeat the message. */
export function framesOf({ stack = '', message }: Error): string {
  const at = message === '' ? -1 : stack.indexOf(message);
  const frames = at < 0 ? stack : stack.slice(at + message.length);
  return frames
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .join('\n');
}

/**
 * Converts an error to plain data with type, message, stack, code and causes. All other properties are
 * omitted: driver errors contain the rows and commands that failed, and with them what people wrote.
 */
export function plainError(error: unknown, depth = 0): PlainError {
  if (!(error instanceof Error)) {
    const message = typeof error === 'string' ? withoutQuotations(error) : `a value of type ${typeof error}`;
    return { type: 'NonError', message, stack: '' };
  }
  const message = beginningOf(withoutQuotations(error.message), MAX_TEXT);
  const code: unknown = 'code' in error ? error.code : undefined;
  const codeName: unknown = 'codeName' in error ? error.codeName : undefined;
  const isNested = depth < MAX_CAUSES;
  return {
    type: error.name,
    message,
    stack: beginningOf(`${error.name}: ${message}\n${framesOf(error)}`, MAX_TEXT),
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
    ...(typeof codeName === 'string' && { codeName }),
    ...(isNested && error.cause !== undefined && { cause: plainError(error.cause, depth + 1) }),
    ...(isNested &&
      error instanceof AggregateError && {
        errors: error.errors.slice(0, MAX_CAUSES).map((one) => plainError(one, depth + 1)),
      }),
  };
}

const secretName =
  /password|passphrase|secret|authorization|cookie|api[-_]?key|private[-_]?key|^.{0,8}token$/i;

/** Names of fields that contain what people wrote, or a whole request. */
const contentNames: ReadonlySet<string> = new Set([
  'body',
  'content',
  'messages',
  'payload',
  'prompt',
  'reply',
  'summary',
  'text',
  'transcript',
]);

const isHidden = (name: string, value: unknown): boolean =>
  typeof value !== 'number' &&
  typeof value !== 'boolean' &&
  value !== undefined &&
  value !== null &&
  (contentNames.has(name) || secretName.test(name));

interface RequestLike {
  id: unknown;
  method: unknown;
  routeOptions: { url?: unknown };
}

const isRequest = (value: object): value is RequestLike =>
  'routeOptions' in value && 'method' in value && 'id' in value && typeof value.routeOptions === 'object';

const hasToJson = (value: object): value is { toJSON(): unknown } =>
  'toJSON' in value && typeof value.toJSON === 'function';

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

function plainObject(value: object, depth: number): unknown {
  if (value instanceof Error) return plainError(value);
  if (depth >= MAX_DEPTH) return '[…]';
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => plainData(item, depth + 1));
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (isRequest(value)) return { id: value.id, method: value.method, route: value.routeOptions.url };
  if (isPlain(value)) return plainMembers(value, depth);
  if (hasToJson(value)) return plainData(value.toJSON(), depth + 1);
  return `[${value.constructor.name}]`;
}

function plainMembers(value: object, depth: number): Record<string, unknown> {
  const members = Object.entries(value).map(([name, member]: [string, unknown]) => [
    name,
    isHidden(name, member) ? HIDDEN : plainData(member, depth + 1),
  ]);
  return Object.fromEntries(members) as Record<string, unknown>;
}

function plainData(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return value.length > MAX_TEXT ? `${beginningOf(value, MAX_TEXT)}…` : value;
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'object' && value !== null) return plainObject(value, depth);
  return value;
}

/**
 * Converts the fields of a log line to plain data. Secrets and contents are redacted by field name, errors
 * are converted by `plainError`, and class instances (documents, sockets) are replaced by their class name.
 */
export const plainFields = (fields: object): Record<string, unknown> =>
  isPlain(fields) ? plainMembers(fields, 0) : { value: plainData(fields, 0) };
