import { setTimeout as delay } from 'node:timers/promises';
import { ApiClient, RequestFailure } from '../../../src/cli/index.js';

/** One response of a probe. */
export interface Look {
  /** When the response arrived, on the clock of performance.now(). */
  at: number;
  ms: number;
  /** HTTP status; 0 if there was no response. */
  http: number;
  /** `ok` or `degraded`; undefined for any other response. */
  status: string | undefined;
}

const statusOf = (body: unknown): string | undefined =>
  typeof body === 'object' && body !== null && 'status' in body && typeof body.status === 'string'
    ? body.status
    : undefined;

/** Requests one probe repeatedly, as Kubernetes does, but more often. */
export class ProbeWatch {
  readonly looks: Look[] = [];
  private stopped = false;
  private readonly ended: Promise<void>;
  private readonly api: ApiClient;

  constructor(
    url: string,
    private readonly path: string,
    private readonly everyMs: number,
  ) {
    this.api = new ApiClient(url, undefined);
    this.ended = this.watch();
  }

  /**
   * The first response after `since` that satisfies the condition, or undefined if there is none within
   * `timeoutMs` after `since`.
   */
  async first(
    since: number,
    timeoutMs: number,
    satisfies: (look: Look) => boolean,
  ): Promise<Look | undefined> {
    for (;;) {
      const found = this.looks.find((look) => look.at >= since && satisfies(look));
      if (found) return found;
      if (performance.now() - since > timeoutMs) return undefined;
      await delay(this.everyMs / 2);
    }
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.ended;
  }

  private async watch(): Promise<void> {
    while (!this.stopped) {
      const begun = performance.now();
      const { http, status } = await this.api.request('GET', this.path).then(
        (answer) => ({ http: answer.status, status: statusOf(answer.body) }),
        (error: unknown) => {
          if (error instanceof RequestFailure) return { http: 0, status: undefined };
          throw error;
        },
      );
      const at = performance.now();
      this.looks.push({ at, ms: at - begun, http, status });
      await delay(this.everyMs);
    }
  }
}
