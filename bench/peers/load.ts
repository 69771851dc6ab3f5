import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { httpRequest } from '../../test/support/http-load.js';

export interface PeerRequest {
  method: string;
  path: string;
  body?: unknown;
}

export interface Load {
  url: string;
  key: string;
  /** Sent in this order, starting over at the end. Consecutive requests are for different participants. */
  requests: readonly PeerRequest[];
  connections: number;
  seconds: number;
  /** Stops the load early; `run` then rejects. */
  signal: AbortSignal;
}

/** The result of a load, as seen by the clients. */
export interface LoadFigures {
  /** Requests that received a response or failed. */
  requests: number;
  perSecond: number;
  /** In milliseconds, like `p99`. */
  p50: number;
  p99: number;
  /** Responses with a status other than 2xx, requests without a response, failed connections. */
  failed: number;
}

export interface LoadGenerator {
  name: 'wrk' | 'autocannon';
  run(load: Load): Promise<LoadFigures>;
}

const TIMEOUT_SECONDS = 10;

const execute = promisify(execFile);

/** Encodes arbitrary bytes as a Lua string. */
const luaString = (bytes: Buffer): string =>
  `"${bytes.toString('latin1').replace(/[^ !#-[\]-~]/g, (char) => `\\${String(char.charCodeAt(0)).padStart(3, '0')}`)}"`;

/**
 * All connections share one list and send its next request, so that concurrent requests are for different
 * participants.
 */
const luaScript = (requests: readonly Buffer[]): string => `
local requests = {
${requests.map((request) => `${luaString(request)},`).join('\n')}
}
local sent = 0

request = function()
  sent = sent % #requests + 1
  return requests[sent]
end

done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\\n{"answered":%d,"microseconds":%d,"p50":%d,"p99":%d,"refused":%d,"lost":%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
`;

interface WrkFigures {
  answered: number;
  microseconds: number;
  p50: number;
  p99: number;
  /** Responses with a status of 400 or above; wrk includes them in `answered`. */
  refused: number;
  lost: number;
}

async function runWrk({ url, key, requests, connections, seconds, signal }: Load): Promise<LoadFigures> {
  const dir = await mkdtemp(join(tmpdir(), 'colloquy-bench-wrk-'));
  const script = join(dir, 'requests.lua');
  try {
    const raw = requests.map(({ method, path, body }) => httpRequest(method, path, key, body));
    await writeFile(script, luaScript(raw));
    // One thread only: wrk divides the connections among its threads, and each would start at the first
    // request.
    const options = [
      '-t1',
      `-c${connections}`,
      `-d${seconds}s`,
      `--timeout=${TIMEOUT_SECONDS}s`,
      '-s',
      script,
    ];
    const { stdout } = await execute('wrk', [...options, url], { signal });
    const figures = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as WrkFigures;
    return {
      requests: figures.answered + figures.lost,
      perSecond: figures.answered / (figures.microseconds / 1e6),
      p50: figures.p50 / 1000,
      p99: figures.p99 / 1000,
      failed: figures.refused + figures.lost,
    };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** autocannon prepares the requests of each connection separately; this is their number. */
const REQUESTS_PER_CONNECTION = 32;

async function runAutocannon(load: Load): Promise<LoadFigures> {
  const { url, key, connections, seconds, signal } = load;
  const { default: autocannon } = await import('autocannon');
  const requests = load.requests.map(({ method, path, body }) => ({
    method,
    path,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  }));
  let clients = 0;
  const run = autocannon({
    url,
    connections,
    duration: seconds,
    timeout: TIMEOUT_SECONDS,
    // Each connection starts one request later than the previous one, so that concurrent requests are for
    // different participants.
    setupClient: (client) => {
      const start = clients++ % requests.length;
      client.setRequests([...requests, ...requests].slice(start, start + REQUESTS_PER_CONNECTION));
    },
  });
  const stop = (): void => {
    run.stop();
  };
  signal.addEventListener('abort', stop);
  const result = await run;
  signal.removeEventListener('abort', stop);
  signal.throwIfAborted();
  const answered = result['2xx'] + result.non2xx;
  return {
    requests: answered + result.errors,
    perSecond: answered / result.duration,
    p50: result.latency.p50,
    p99: result.latency.p99,
    failed: result.non2xx + result.errors,
  };
}

async function hasWrk(): Promise<boolean> {
  try {
    await execute('wrk', ['--version']);
    return true;
  } catch (error) {
    // wrk exits with code 1 after printing its version.
    return error instanceof Error && 'code' in error && error.code === 1;
  }
}

/** Uses wrk if it is on the PATH, otherwise autocannon, which uses several times as much CPU. */
export const loadGenerator = async (): Promise<LoadGenerator> =>
  (await hasWrk()) ? { name: 'wrk', run: runWrk } : { name: 'autocannon', run: runAutocannon };
