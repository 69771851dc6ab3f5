import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

const acceptableId = /^[\w.:-]{1,128}$/;

/**
 * Creates the function that generates request ids. The client's X-Request-Id is used if it is safe to log.
 * Otherwise the id is a random prefix, generated once, followed by a counter. This is as unique across
 * processes and restarts as a random id, at a fraction of the cost.
 */
export function createRequestIds(): (request: { headers: IncomingHttpHeaders }) => string {
  const prefix = `${BigInt(`0x${randomBytes(8).toString('hex')}`).toString(36)}-`;
  let count = 0;
  return ({ headers }) => {
    const given = headers['x-request-id'];
    if (typeof given === 'string' && acceptableId.test(given)) return given;
    return prefix + (count++).toString(36);
  };
}
