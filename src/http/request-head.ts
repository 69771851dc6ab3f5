import type { Server } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { ProblemError } from './problem.js';

const missingHost = (): ProblemError =>
  new ProblemError({
    status: 400,
    code: 'host_required',
    title: 'The Host header is missing',
    detail: 'An HTTP/1.1 request must have a Host header.',
  });

const unknownExpectation = (): ProblemError =>
  new ProblemError({
    status: 417,
    code: 'expectation_failed',
    title: 'The expectation is not known',
    detail: 'The only value of the Expect header that is supported is "100-continue".',
  });

const malformedQuery = (): ProblemError =>
  new ProblemError({
    status: 400,
    code: 'invalid_encoding',
    title: 'The query string is not UTF-8',
    detail: 'The query string is not percent-encoded UTF-8; a percent sign itself is written as %25.',
  });

const duplicateHeader = (name: string): ProblemError =>
  new ProblemError({
    status: 400,
    code: 'duplicate_header',
    title: 'A header was sent twice',
    detail: `The header ${name} may be sent only once.`,
  });

const unsupportedTransferEncoding = (): ProblemError =>
  new ProblemError({
    status: 501,
    code: 'unsupported_transfer_encoding',
    title: 'The transfer encoding is not supported',
    detail: 'The only value of the Transfer-Encoding header that is supported is "chunked".',
  });

/** Node.js uses the first of several; a proxy in front of it may have used another. */
const singleHeaders: ReadonlySet<string> = new Set(['host', 'authorization']);

function duplicateIn(rawHeaders: readonly string[]): string | undefined {
  const found = new Set<string>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase();
    if (!singleHeaders.has(name)) continue;
    if (found.has(name)) return name;
    found.add(name);
  }
  return undefined;
}

/** Otherwise a malformed value would be used as it is, for example to filter a list. */
function isWellFormedQuery(url: string): boolean {
  const start = url.indexOf('?');
  if (start < 0 || !url.includes('%', start)) return true;
  try {
    decodeURIComponent(url.slice(start));
    return true;
  } catch {
    return false;
  }
}

/** Returns why a request is refused whatever its route and key are, or undefined. */
export function problemOfHead({ raw, headers, url }: FastifyRequest): ProblemError | undefined {
  if (headers.host === undefined && raw.httpVersion === '1.1') return missingHost();
  const duplicate = duplicateIn(raw.rawHeaders);
  if (duplicate !== undefined) return duplicateHeader(duplicate);
  const { expect, 'transfer-encoding': coding } = headers;
  if (coding !== undefined && coding.trim().toLowerCase() !== 'chunked') return unsupportedTransferEncoding();
  if (expect !== undefined && expect.trim().toLowerCase() !== '100-continue') return unknownExpectation();
  return isWellFormedQuery(url) ? undefined : malformedQuery();
}

/**
 * Answers `Expect: 100-continue` when the body of a request begins to be read. Node.js would answer it at once;
 * a request that is refused because of its headers must not be asked for its body.
 */
export function continueWhenRead(server: Server): void {
  server.on('checkContinue', (request, response) => {
    const { shouldKeepAlive } = response;
    // If the response is sent without it, the client may still send the body or not: what follows on the connection
    // could not be told from it.
    response.shouldKeepAlive = false;
    request.once('resume', () => {
      if (response.headersSent) return;
      response.shouldKeepAlive = shouldKeepAlive;
      response.writeContinue();
    });
    server.emit('request', request, response);
  });
  // `problemOfHead` refuses it.
  server.on('checkExpectation', (request, response) => {
    response.shouldKeepAlive = false;
    server.emit('request', request, response);
  });
}
