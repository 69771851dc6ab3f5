import { createHmac } from 'node:crypto';

/**
 * Returns `sha256=` and the hexadecimal HMAC-SHA256 of `<timestamp>.<body>`, with the receiver's secret as
 * key. The timestamp (Unix seconds) is signed too, so that the receiver can reject replayed requests.
 */
export const signatureOf = (secret: string, timestamp: string, body: string): string =>
  `sha256=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`;
