import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HealthService } from './health.service.js';

/** The probes alone, for a process without an API of its own (the worker). */
export async function startHealthServer(
  health: HealthService,
  host: string,
  port: number,
): Promise<{ url: string; close(): Promise<void> }> {
  const server: Server = createServer((request, response) => {
    const path = request.url?.split('?', 1)[0];
    const report =
      path === '/health/live' ? health.live() : path === '/health/ready' ? health.ready() : undefined;
    void Promise.resolve(report).then((answer) => {
      response.writeHead(answer === undefined ? 404 : answer.status === 'ok' ? 200 : 503, {
        'content-type': 'application/json',
      });
      response.end(JSON.stringify(answer ?? { status: 'error', reason: 'no such route' }));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}
