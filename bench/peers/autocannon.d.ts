/** Types for the load generator, which publishes none. Only what `load.ts` needs. */
declare module 'autocannon' {
  interface Request {
    method: string;
    path: string;
    headers: Readonly<Record<string, string>>;
    body?: string | undefined;
  }

  interface Result {
    /** In seconds. */
    duration: number;
    /** In milliseconds. */
    latency: { p50: number; p99: number };
    '2xx': number;
    non2xx: number;
    /** Requests without a response, including those that timed out. */
    errors: number;
  }

  interface Run extends PromiseLike<Result> {
    stop(): void;
  }

  interface Options {
    url: string;
    connections: number;
    /** In seconds. */
    duration: number;
    /** In seconds. */
    timeout: number;
    /** Called for each connection before it sends. */
    setupClient(client: { setRequests(requests: readonly Request[]): void }): void;
  }

  export default function autocannon(options: Options): Run;
}
