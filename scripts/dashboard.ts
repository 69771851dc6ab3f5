// npm run dashboard: prints the state of a running service, from GET /v1/monitoring: status, alerts, requests
// by route, database, queues, sessions, cache, transcripts, process. With --watch it redraws every few
// seconds.
import { setTimeout as delay } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import type { ServiceSnapshot } from '../src/admin/index.js';
import { abortOnShutdownSignal } from '../src/bootstrap/index.js';
import { stackOf } from '../src/common/index.js';
import { settingsFromEnvironment, SettingsError } from '../src/config/index.js';
import type { ServiceStatus } from '../src/monitoring/index.js';
import { renderDashboard } from './dashboard/render.js';
import { ApiClient, developmentKey, NoKeyError, RequestFailure } from '../src/cli/index.js';

interface Options {
  url?: string;
  adminKey?: string;
  watch?: number | true;
  json?: boolean;
}

const DEFAULT_WATCH_SECONDS = 5;
const CLEAR = '\u001b[H\u001b[J';
const UNREACHABLE = 1;

const exitCodes: Readonly<Record<ServiceStatus, number>> = { healthy: 0, degraded: 1, critical: 2 };

function seconds(text: string): number {
  const value = Number(text);
  if (!(value >= 1 && value <= 3600)) throw new InvalidArgumentError('It must be between 1 and 3600.');
  return value;
}

const isSnapshot = (body: unknown): body is ServiceSnapshot =>
  typeof body === 'object' && body !== null && 'status' in body && 'alerts' in body && 'requests' in body;

function asSnapshot(body: unknown): ServiceSnapshot {
  if (!isSnapshot(body))
    throw new RequestFailure(
      'no_snapshot',
      200,
      'The service at this URL is not a Colloquy of this version.',
    );
  return body;
}

/** @throws NoKeyError, SettingsError */
function clientOf({ url, adminKey }: Options): ApiClient {
  const { service } = settingsFromEnvironment();
  const key = adminKey ?? service.ADMIN_API_KEY ?? developmentKey(service.DATA_DIR);
  if (key === undefined)
    throw new NoKeyError(
      `No admin key is available: set ADMIN_API_KEY or pass --admin-key (there is no development admin key in ${service.DATA_DIR}).`,
    );
  return new ApiClient(url ?? `http://127.0.0.1:${service.PORT}`, key);
}

const read = (api: ApiClient): Promise<ServiceSnapshot> => api.call('GET', '/v1/monitoring', asSnapshot);

const explain = (error: unknown): string => {
  if (error instanceof RequestFailure && error.status === 0)
    return `The service is not responding (${error.message}). Start it with npm start, or pass its address with --url.`;
  if (error instanceof RequestFailure || error instanceof NoKeyError || error instanceof SettingsError)
    return error.message;
  return stackOf(error);
};

const textOf = (snapshot: ServiceSnapshot, json: boolean): string =>
  json
    ? `${JSON.stringify(snapshot)}\n`
    : renderDashboard(snapshot, {
        hasColors: process.stdout.isTTY && process.stdout.hasColors(),
      });

/** Runs until a shutdown signal. When the service is unavailable, reports it and retries. */
async function watch(api: ApiClient, everySeconds: number, json: boolean): Promise<void> {
  const signal = abortOnShutdownSignal();
  const redraws = process.stdout.isTTY && !json;
  while (!signal.aborted) {
    const text = await read(api).then(
      (snapshot) => textOf(snapshot, json),
      (error: unknown) => {
        if (error instanceof RequestFailure && (error.status === 0 || error.status >= 500))
          return json ? `${JSON.stringify({ error: explain(error) })}\n` : `${explain(error)}\n`;
        throw error;
      },
    );
    process.stdout.write(redraws ? `${CLEAR}${text}` : json ? text : `${text}\n`);
    await delay(everySeconds * 1000, undefined, { signal }).catch(() => undefined);
  }
}

async function dashboard(options: Options): Promise<number> {
  const api = clientOf(options);
  const { json = false } = options;
  if (options.watch !== undefined) {
    await watch(api, options.watch === true ? DEFAULT_WATCH_SECONDS : options.watch, json);
    return 0;
  }
  const snapshot = await read(api);
  process.stdout.write(textOf(snapshot, json));
  return exitCodes[snapshot.status];
}

await new Command('dashboard')
  .description(
    'Shows the state of a running service. Exits with 0 when it is healthy, 1 when it is degraded or not responding, 2 when it is critical.',
  )
  .option('--url <url>', 'address of the service (default: http://127.0.0.1:PORT)')
  .option('--admin-key <key>', 'the admin key (default: ADMIN_API_KEY, or the development key in DATA_DIR)')
  .option(
    '--watch [seconds]',
    `redraw at this interval in seconds (default: ${DEFAULT_WATCH_SECONDS})`,
    seconds,
  )
  .option('--json', 'print the snapshot as one line of JSON')
  .action(async (options: Options) => {
    try {
      process.exitCode = await dashboard(options);
    } catch (error) {
      process.stderr.write(`${explain(error)}\n`);
      process.exitCode = UNREACHABLE;
    }
  })
  .parseAsync();
