import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

const acceptableId = /^[\w.:-]{1,128}$/;

/**
 * Makes the ids of requests. A caller's own X-Request-Id is kept when it is safe to log. Otherwise the id is a random part, made once, and a
 * counter: unique over processes and restarts as a random id is, at a fraction of its cost.
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
