import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { addressGroup, Counts } from '../common/index.js';

export interface ConnectionLimits {
  /** A connection that made no progress for this time is closed. */
  idleMs: number;
  /** Maximum number of connections; 0: no limit. */
  max: number;
  /** Maximum number of connections from one address; 0: no limit. */
  maxPerAddress: number;
}

type Connection = Socket & { _httpMessage?: ServerResponse | null };

const problem = JSON.stringify({
  type: 'about:blank',
  title: 'Too Many Requests',
  status: 429,
  code: 'too_many_connections',
  detail: 'Too many connections are open from this address. Close some, or send several requests over one.',
});
const tooManyConnections = [
  'HTTP/1.1 429 Too Many Requests',
  'Content-Type: application/problem+json; charset=utf-8',
  `Content-Length: ${Buffer.byteLength(problem)}`,
  'Connection: close',
  '',
  problem,
].join('\r\n');

/**
 * Limits the connections of a server. A client that does not read what was written for it is disconnected, so
 * that its responses do not stay in memory; a request that is being processed is not interrupted, however long
 * it takes.
 */
export function limitConnections(server: Server, { idleMs, max, maxPerAddress }: ConnectionLimits): void {
  server.setTimeout(idleMs);
  // The size of the headers is limited. Node.js would drop those beyond a number, without notice.
  server.maxHeadersCount = 0;
  // Without a listener, Node.js would also close connections whose request is being processed.
  server.on('timeout', (connection: Connection) => {
    // A reset, because the system would keep on sending what it holds of a response that is not read.
    if (connection.writableLength > 0) connection.resetAndDestroy();
    else if (!connection._httpMessage) connection.destroy();
  });
  if (max > 0) server.maxConnections = max;
  if (maxPerAddress === 0) return;
  const counts = new Counts();
  server.prependListener('connection', (connection) => {
    const network = addressGroup(connection.remoteAddress ?? '');
    const count = counts.add(network, 1);
    connection.once('close', () => counts.add(network, -1));
    if (count > maxPerAddress) connection.end(tooManyConnections, () => connection.destroy());
  });
}
