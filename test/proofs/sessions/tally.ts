import {
  type ApiClient,
  type ApiResponse,
  RequestFailure,
  type RequestHeaders,
} from '../../../src/cli/index.js';
import { codeOf } from './shapes.js';

/** What a client may be told when others were quicker: nothing was written, and it is to try again. */
const honest: ReadonlySet<string> = new Set(['409 session_conflict', '412 version_mismatch']);

/** Sends requests and counts what came of each. */
export class Tally {
  requests = 0;
  conflicts = 0;
  /** By status; 0 stands for no answer. */
  readonly statuses = new Map<number, number>();
  /** All that is neither success nor an honest conflict, by status and code. */
  readonly failures = new Map<string, number>();

  /** The answer when it is 2xx; undefined after a conflict or a failure, which have been counted. */
  async send(
    api: ApiClient,
    method: string,
    path: string,
    body?: unknown,
    headers?: RequestHeaders,
  ): Promise<ApiResponse | undefined> {
    this.requests++;
    let answer: ApiResponse;
    try {
      answer = await api.request(method, path, body, headers);
    } catch (error) {
      if (!(error instanceof RequestFailure)) throw error;
      increment(this.statuses, error.status);
      increment(this.failures, error.code);
      return undefined;
    }
    const { status } = answer;
    increment(this.statuses, status);
    if (status >= 200 && status < 300) return answer;
    const outcome = `${status} ${codeOf(answer.body) ?? 'without a code'}`;
    if (honest.has(outcome)) this.conflicts++;
    else increment(this.failures, outcome);
    return undefined;
  }
}

const increment = <Key>(counts: Map<Key, number>, key: Key): void => {
  counts.set(key, (counts.get(key) ?? 0) + 1);
};
