import { setTimeout as delay } from 'node:timers/promises';
import { ApiClient, RequestFailure } from '../../../src/cli/index.js';

/** One answer of a probe. */
export interface Look {
  /** When it was answered, by performance.now(). */
  at: number;
  ms: number;
  /** 0: no answer. */
  http: number;
  /** `ok` or `degraded`; undefined for any other answer. */
  status: string | undefined;
}

const statusOf = (body: unknown): string | undefined =>
  typeof body === 'object' && body !== null && 'status' in body && typeof body.status === 'string'
    ? body.status
    : undefined;

/** Asks one probe again and again, as Kubernetes would, but more often. */
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

  /** The first answer after `since` that satisfies, waited for until `timeoutMs` have passed since; undefined when there is none. */
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
