import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServiceProcess } from '../../test/support/service-process.js';
import { cpuSeconds } from '../http/cpu.js';
import { prepareConversations } from '../http/routes.js';
import { BenchService } from '../http/service.js';
import type { PeerRequest } from './load.js';
import { type PeerRoute, requestsOf } from './routes.js';

export type TargetName = 'bare' | 'this' | 'against';

/** The response of the bare server on a route, which is the response that the service returned. */
export interface Answer extends Pick<PeerRoute, 'method' | 'template' | 'status'> {
  type: string;
  body: string;
}

/** A server under load. */
export interface Target {
  name: TargetName;
  url: string;
  key: string;
  requestsOf: (route: PeerRoute) => PeerRequest[];
  /** CPU time used by its main thread so far, in seconds; NaN when the system does not report it. */
  mainThreadSeconds(): Promise<number>;
  /** Number of commands sent to its database so far; NaN when it does not count them. */
  databaseCommands(): Promise<number>;
}

export interface ServiceOptions {
  name: Exclude<TargetName, 'bare'>;
  /** The `dist` folder of another build. */
  build?: string | undefined;
  /** The node binary. */
  execPath: string;
  settings: Readonly<Record<string, string>>;
  /** Directory for CPU profiles, with one folder per service. */
  profileDir?: string | undefined;
  imports?: readonly string[];
}

/** As in production with everything on. The rate limit is checked but never reached. */
const PEER_SETTINGS = {
  LOG_LEVEL: 'info',
  MONITORING: 'on',
  RATE_LIMIT_PER_MINUTE: '10000000',
  SHUTDOWN_DRAIN_MS: '0',
} as const;

export async function startService(options: ServiceOptions): Promise<BenchService> {
  const { name, build, execPath, settings, imports } = options;
  const profileDir = options.profileDir && join(options.profileDir, name);
  if (profileDir !== undefined) await mkdir(profileDir, { recursive: true });
  const start = { build, execPath, profileDir, imports };
  return BenchService.start({ ...PEER_SETTINGS, ...settings }, start);
}

/** Reads the sum of a counter over all labels from GET /metrics; NaN when the counter does not exist. */
export async function counterOf(url: string, metric: string): Promise<number> {
  const text = await (await fetch(new URL('/metrics', url))).text();
  const values = text
    .split('\n')
    .filter((line) => line.startsWith(`${metric} `) || line.startsWith(`${metric}{`))
    .map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)));
  return values.length === 0 ? NaN : values.reduce((sum, value) => sum + value, 0);
}

export async function prepareService(
  name: TargetName,
  service: BenchService,
  participants: number,
): Promise<Target> {
  const { url, key, api } = service;
  const prepared = { conversationIds: await prepareConversations(api, participants) };
  return {
    name,
    url,
    key,
    requestsOf: (route) => requestsOf(route, prepared),
    mainThreadSeconds: () => cpuSeconds(service.process.pid ?? 0, 'main thread'),
    databaseCommands: () => counterOf(url, 'colloquy_database_command_duration_seconds_count'),
  };
}

/** Sends the first request of a route. @throws Error unless the response has the route's status */
export async function answerOf(target: Target, route: PeerRoute): Promise<Answer> {
  const { method, template, status } = route;
  const { path, body } = target.requestsOf(route)[0] ?? { path: '/' };
  const response = await fetch(new URL(path, target.url), {
    method,
    headers: {
      authorization: `Bearer ${target.key}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (response.status !== status)
    throw new Error(`${target.name} responded to ${method} ${path} with ${response.status}: ${text}`);
  return { method, template, status, type: response.headers.get('content-type') ?? '', body: text };
}

export const startBare = (answers: readonly Answer[], execPath: string): Promise<ServiceProcess> =>
  ServiceProcess.start({
    main: join(import.meta.dirname, 'bare-server.js'),
    cwd: tmpdir(),
    env: { NODE_ENV: 'production' },
    args: [JSON.stringify(answers)],
    execPath,
  });

/** Receives the same requests as the service, and returns the service's responses. */
export const bareTarget = (bare: ServiceProcess, { key, requestsOf }: Target): Target => ({
  name: 'bare',
  url: bare.url,
  key,
  requestsOf,
  mainThreadSeconds: () => cpuSeconds(bare.pid ?? 0, 'main thread'),
  databaseCommands: () => Promise.resolve(NaN),
});
