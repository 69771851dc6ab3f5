import { beginningOf, shortened } from '../common/index.js';

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
/** Maximum length of a field's name, characters. */
const MAX_NAME = 256;
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
];

/** A run of characters without white space or quotes, in which an address may be. */
const unbroken = /[^\s"'\\]+/g;

/**
 * Hides user and password of an address (mongodb://user:password@host, redis://:password@host), and the query
 * of a URL or path. It searches for fixed characters instead of a pattern, which would take a number of steps
 * proportional to the square of a run's length.
 */
function withoutAddressSecrets(run: string): string {
  const scheme = run.indexOf('://');
  const at = scheme > 0 ? run.lastIndexOf('@') : -1;
  const address = at > scheme + 3 ? `${run.slice(0, scheme + 3)}${HIDDEN}${run.slice(at)}` : run;
  const path = address.indexOf('/');
  const query = path < 0 ? -1 : address.indexOf('?', path);
  return query < 0 || !address.includes('=', query) ? address : `${address.slice(0, query + 1)}${HIDDEN}`;
}

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
    return safe.replace(unbroken, withoutAddressSecrets);
  };
}

/** Replaces what is between each `open` and the next `close`, in one pass. */
function hideBetween(text: string, open: string, close: string): string {
  let safe = '';
  let from = 0;
  for (;;) {
    const start = text.indexOf(open, from);
    const end = start < 0 ? -1 : text.indexOf(close, start + open.length);
    if (end < 0) return safe + text.slice(from);
    safe += text.slice(from, start + open.length) + HIDDEN;
    from = end;
  }
}

const INVALID_JSON = ' is not valid JSON';

/** Hides the excerpt in a message of JSON.parse: `..."excerpt"... is not valid JSON`. */
function withoutExcerpt(text: string): string {
  const end = text.lastIndexOf(INVALID_JSON);
  if (end < 0 || !/"(?:\.\.\.)?$/.test(text.slice(Math.max(0, end - 4), end))) return text;
  const quote = text.indexOf('"');
  const start = text.startsWith('...', quote - 3) ? quote - 3 : quote;
  return text.slice(0, start) + HIDDEN + text.slice(end);
}

/** The parts of messages in which drivers and parsers quote rejected data: stored rows, request bodies. */
const quotations: readonly ((text: string) => string)[] = [
  (text) => text.replace(/(dup key: )\{[^\n]*/g, `$1${HIDDEN}`),
  (text) => hideBetween(text, 'failed for value ', ' (type'),
  withoutExcerpt,
  (text) => text.replace(/Unexpected token [\s\S]{1,3},/g, 'Unexpected token,'),
  (text) => text.replace(/`[^`]*` is not a valid enum value/g, `${HIDDEN} is not a valid enum value`),
  (text) => hideBetween(text, '(`', '`)'),
];

/**
 * Removes quoted data from an error message, and cuts a message of more than 16,384 characters. What such a
 * message quotes may end beyond the cut, so everything from its first quotation mark on is removed.
 */
export function withoutQuotations(message: string): string {
  if (message.length > MAX_TEXT) {
    const quote = message.slice(0, MAX_TEXT).search(/["'`{[(]/);
    return quote < 0 ? shortened(message, MAX_TEXT) : `${message.slice(0, quote)}${HIDDEN}…`;
  }
  return quotations.reduce((text, hide) => hide(text), message);
}

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
  const message = withoutQuotations(error.message);
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
  const members = Object.entries(value)
    .slice(0, MAX_ITEMS)
    .map(([key, member]: [string, unknown]) => {
      const name = shortened(key, MAX_NAME);
      return [name, isHidden(name, member) ? HIDDEN : plainData(member, depth + 1)];
    });
  return Object.fromEntries(members) as Record<string, unknown>;
}

function plainData(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return shortened(value, MAX_TEXT);
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
