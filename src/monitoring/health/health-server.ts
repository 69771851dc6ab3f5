import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Metrics } from '../metrics/metrics.js';
import { failedProbe, type HealthProbes } from './health-probes.js';
import type { ProbeName } from './health.service.js';

interface Answer {
  status: number;
  type: string;
  body: string;
}

export interface HealthServerSources {
  probes: HealthProbes;
  metrics: Metrics;
  /** How the process fares, for operators alone. */
  snapshot: () => Promise<unknown>;
  /** Whether a request is an operator's, who is told details. */
  isOperator: (request: IncomingMessage) => boolean;
  /** Hears of what could not be answered for a fault in here; answers the id of its report. */
  onError: (error: unknown, path: string) => string;
}

const json = (status: number, body: unknown): Answer => ({
  status,
  type: 'application/json',
  body: JSON.stringify(body),
});

const problem = (status: number, code: string, title: string, extra: object = {}): Answer => ({
  status,
  type: 'application/problem+json; charset=utf-8',
  body: JSON.stringify({ type: 'about:blank', title, status, code, ...extra }),
});

async function answerProbe(
  { probes, isOperator }: HealthServerSources,
  probe: ProbeName,
  request: IncomingMessage,
): Promise<Answer> {
  try {
    return json(200, await probes.ask(probe, isOperator(request)));
  } catch (error) {
    const failed = failedProbe(error);
    if (!failed) throw error;
    return problem(503, 'not_ready', 'Not ready', { checks: failed.details });
  }
}

async function answerSnapshot(
  { snapshot, isOperator }: HealthServerSources,
  request: IncomingMessage,
): Promise<Answer> {
  if (isOperator(request)) return json(200, await snapshot());
  const detail = 'Send the admin key as "Authorization: Bearer <key>".';
  return problem(401, 'admin_key_required', 'The admin key is needed', { detail });
}

const pathOf = ({ url = '' }: IncomingMessage): string => url.split('?', 1)[0] ?? '';

async function answer(sources: HealthServerSources, request: IncomingMessage): Promise<Answer> {
  switch (pathOf(request)) {
    case '/health/live':
      return answerProbe(sources, 'live', request);
    case '/health/ready':
      return answerProbe(sources, 'ready', request);
    case '/health/startup':
      return answerProbe(sources, 'startup', request);
    case '/metrics': {
      const { contentType, body } = await sources.metrics.text();
      return { status: 200, type: contentType, body };
    }
    case '/v1/monitoring':
      return answerSnapshot(sources, request);
    default:
      return problem(404, 'route_not_found', 'Not Found');
  }
}

/** Probes, metrics and the snapshot of `npm run dashboard` alone, for a process without an API of its own (the worker). */
export async function startHealthServer(
  sources: HealthServerSources,
  host: string,
  port: number,
): Promise<{ url: string; close(): Promise<void> }> {
  const server: Server = createServer((request, response) => {
    void answer(sources, request)
      .catch((error: unknown) => {
        const errorId = sources.onError(error, pathOf(request));
        return problem(500, 'internal_error', 'Internal error', { errorId });
      })
      .then(({ status, type, body }) => {
        response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
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
