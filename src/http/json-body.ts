import type { FastifyBodyParser, FastifyInstance } from 'fastify';
import { type JsonFault, JsonFaultError, parseExactJson } from '../common/index.js';
import { ProblemError } from './problem.js';
import { hasBody } from './request-body.js';

const faults: Readonly<Record<JsonFault, { status: number; code: string; title: string }>> = {
  invalid_json: { status: 400, code: 'invalid_json', title: 'The body is not JSON' },
  invalid_encoding: { status: 400, code: 'invalid_encoding', title: 'The body is not UTF-8' },
  number_not_exact: { status: 400, code: 'number_not_exact', title: 'A number cannot be kept exactly' },
  lone_surrogate: { status: 400, code: 'lone_surrogate', title: 'A text has half of a character' },
  forbidden_key: { status: 400, code: 'forbidden_key', title: 'The body has a forbidden key' },
  duplicate_key: { status: 400, code: 'duplicate_key', title: 'The body has a repeated key' },
  too_deep: { status: 400, code: 'json_too_deep', title: 'The body is nested too deeply' },
  too_many_values: { status: 413, code: 'too_many_values', title: 'The body has too many values' },
};

function problemOf(error: unknown): Error {
  if (!(error instanceof JsonFaultError)) return error instanceof Error ? error : new Error(String(error));
  return new ProblemError({ ...faults[error.fault], detail: `The request body ${error.message}` });
}

/**
 * Parses the JSON body of a request, such that everything in it is kept exactly or rejected. An empty body
 * counts as no body, because many clients send the content type with every request.
 */
export const jsonBodyParser: FastifyBodyParser<Buffer> = (_request, body, done) => {
  if (body.length === 0) {
    done(null, undefined);
    return;
  }
  let value: unknown;
  try {
    value = parseExactJson(body);
  } catch (error) {
    done(problemOf(error));
    return;
  }
  done(null, value);
};

const charsetParameter = /;\s*charset\s*=\s*"?([^";\s]*)/gi;
/** US-ASCII is a part of UTF-8. */
const readableCharsets: ReadonlySet<string> = new Set(['utf-8', 'utf8', 'us-ascii', 'ascii']);

const unsupportedCharset = (charset: string): ProblemError =>
  new ProblemError({
    status: 415,
    code: 'unsupported_charset',
    title: 'The charset of the body is not supported',
    detail: `The body is read as UTF-8, but the Content-Type says "${charset}". Send the body in UTF-8.`,
  });

/**
 * Refuses bodies whose Content-Type names another charset than UTF-8, before they are read: many texts in other
 * charsets are valid UTF-8 too, and would be changed without notice.
 */
export function requireUtf8(fastify: FastifyInstance): void {
  fastify.addHook('preParsing', (request, _reply, body, done) => {
    const charsets = [...(request.headers['content-type'] ?? '').matchAll(charsetParameter)];
    const other = charsets.find(([, charset = '']) => !readableCharsets.has(charset.toLowerCase()));
    if (other && hasBody(request)) done(unsupportedCharset(other[1] ?? ''));
    else done(null, body);
  });
}
