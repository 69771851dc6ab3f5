import { createHmac } from 'node:crypto';

/**
 * `sha256=` and the hex HMAC-SHA256 of `<timestamp>.<body>` under the receiver's secret. The timestamp (Unix
 * seconds) is signed as well, so that a receiver can refuse old requests that are sent again.
 */
export const signatureOf = (secret: string, timestamp: string, body: string): string =>
  `sha256=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`;
