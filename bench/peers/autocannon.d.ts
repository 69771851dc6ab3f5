/** The load generator, which publishes no types: as much of it as `load.ts` needs. */
declare module 'autocannon' {
  interface Request {
    method: string;
    path: string;
    headers: Readonly<Record<string, string>>;
    body?: string | undefined;
  }

  interface Result {
    /** Seconds. */
    duration: number;
    /** Milliseconds. */
    latency: { p50: number; p99: number };
    '2xx': number;
    non2xx: number;
    /** Requests without an answer, those that took too long included. */
    errors: number;
  }

  interface Run extends PromiseLike<Result> {
    stop(): void;
  }

  interface Options {
    url: string;
    connections: number;
    /** Seconds. */
    duration: number;
    /** Seconds. */
    timeout: number;
    /** Called for each connection before it sends. */
    setupClient(client: { setRequests(requests: readonly Request[]): void }): void;
  }

  export default function autocannon(options: Options): Run;
}
