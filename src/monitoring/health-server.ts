import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HealthReport, HealthService } from './health.service.js';
import type { Metrics } from './metrics/metrics.js';

interface Answer {
  status: number;
  type: string;
  body: string;
}

const json = (status: number, body: unknown): Answer => ({
  status,
  type: 'application/json',
  body: JSON.stringify(body),
});

const probe = (report: HealthReport): Answer => json(report.status === 'ok' ? 200 : 503, report);

/** Probes and metrics alone, for a process without an API of its own (the worker). */
export async function startHealthServer(
  { health, metrics }: { health: HealthService; metrics: Metrics },
  host: string,
  port: number,
): Promise<{ url: string; close(): Promise<void> }> {
  const routes: Record<string, () => Answer | Promise<Answer>> = {
    '/health/live': () => probe(health.live()),
    '/health/ready': async () => probe(await health.ready()),
    '/metrics': async () => {
      const { contentType, body } = await metrics.text();
      return { status: 200, type: contentType, body };
    },
  };
  const server: Server = createServer((request, response) => {
    const path = request.url?.split('?', 1)[0] ?? '';
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
    const answer = route
      ? Promise.resolve().then(route)
      : Promise.resolve(json(404, { status: 'error', reason: 'no such route' }));
    void answer
      .catch((error: unknown) => json(500, { status: 'error', reason: String(error) }))
      .then(({ status, type, body }) => {
        response.writeHead(status, { 'content-type': type }).end(body);
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
