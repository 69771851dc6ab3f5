import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, withTimeout } from '../../src/common/index.js';
import { BenchConnection } from '../../test/support/http-load.js';
import type { Route } from './routes.js';

/** One request and its outcome. */
export interface Sample {
  route: string;
  ms: number;
  /** The unexpected status, or why there was no response; undefined when the request succeeded. */
  failure?: string | undefined;
}

export interface LoadOptions {
  url: string;
  routes: readonly Route[];
  clients: number;
  seconds: number;
  /** A request without a response after this time has failed, in milliseconds. */
  timeoutMs?: number;
}

export interface LoadResult {
  samples: Sample[];
  /** From the first request to the last response. */
  seconds: number;
}

const TIMEOUT_MS = 30_000;
/** A client whose connection failed waits before it retries. */
const PAUSE_AFTER_FAILURE_MS = 100;
/** Offset between clients, so that they do not all send the same request at the same time. */
const STRIDE = 7;

/** A sequence that contains each route as often as its weight, evenly spread. */
export function sequenceOf(routes: readonly Route[]): Route[] {
  const positioned = routes.flatMap((route) =>
    Array.from({ length: route.weight }, (_, index) => ({ route, at: (index + 0.5) / route.weight })),
  );
  return positioned.sort((a, b) => a.at - b.at).map(({ route }) => route);
}

const noAnswer = (): never => {
  throw new Error('no response in time');
};

class LoadClient {
  private connection: BenchConnection | undefined;

  constructor(
    private readonly index: number,
    private readonly options: Required<LoadOptions>,
    private readonly sequence: readonly Route[],
  ) {}

  async run(until: number, samples: Sample[]): Promise<void> {
    for (let count = 0; performance.now() < until; count++) {
      const route = this.sequence[(this.index * STRIDE + count) % this.sequence.length];
      if (!route) return;
      const sample = await this.send(route, count);
      samples.push(sample);
      if (sample.failure !== undefined) await delay(PAUSE_AFTER_FAILURE_MS);
    }
    this.connection?.close();
  }

  private async send(route: Route, count: number): Promise<Sample> {
    const { url, timeoutMs } = this.options;
    const request = route.request(this.index, count);
    const begun = performance.now();
    const sample = (failure?: string): Sample => ({
      route: route.name,
      ms: performance.now() - begun,
      failure,
    });
    try {
      this.connection ??= await BenchConnection.open(url);
      const { status, body } = await withTimeout(this.connection.send(request), timeoutMs, noAnswer);
      if (this.connection.isEnding) {
        this.connection.close();
        this.connection = undefined;
      }
      return sample(status === route.status ? undefined : `${status} ${codeOf(body)}`);
    } catch (error) {
      this.connection?.close();
      this.connection = undefined;
      return sample(messageOf(error));
    }
  }
}

const codeOf = (body: string): string => /"code":"([^"]*)"/.exec(body)?.[1] ?? body.slice(0, 200);

/**
 * Runs clients that each send one request after the other on a persistent connection. Never rejects: failures
 * are recorded.
 */
export async function runHttpLoad(options: LoadOptions): Promise<LoadResult> {
  const sequence = sequenceOf(options.routes);
  const samples: Sample[] = [];
  const begun = performance.now();
  const until = begun + options.seconds * 1000;
  const settled = { timeoutMs: TIMEOUT_MS, ...options };
  await Promise.all(
    Array.from({ length: options.clients }, (_, index) =>
      new LoadClient(index, settled, sequence).run(until, samples),
    ),
  );
  return { samples, seconds: (performance.now() - begun) / 1000 };
}

export const failuresOf = (samples: readonly Sample[]): Sample[] =>
  samples.filter(({ failure }) => failure !== undefined);

/** How often each failure occurred, most frequent first. */
export function failureCounts(samples: readonly Sample[]): [failure: string, count: number][] {
  const counts = new Map<string, number>();
  for (const { route, failure } of samples)
    if (failure !== undefined)
      counts.set(`${route}: ${failure}`, (counts.get(`${route}: ${failure}`) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a);
}
