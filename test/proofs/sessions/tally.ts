import {
  type ApiClient,
  type ApiResponse,
  RequestFailure,
  type RequestHeaders,
} from '../../../src/cli/index.js';
import { codeOf } from './shapes.js';

/**
 * The codes of conflict responses: nothing was written because another client was faster, and the client
 * should retry.
 */
const honest: ReadonlySet<string> = new Set(['409 session_conflict', '412 version_mismatch']);

/** Sends requests and counts the outcomes. */
export class Tally {
  requests = 0;
  conflicts = 0;
  /** Counts by HTTP status; 0 means no response. */
  readonly statuses = new Map<number, number>();
  /** Counts of responses that are neither a success nor an expected conflict, by status and code. */
  readonly failures = new Map<string, number>();

  /** Returns the response if it is 2xx, otherwise counts the conflict or failure and returns undefined. */
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
    const outcome = `${status} ${codeOf(answer.body) ?? '(no code)'}`;
    if (honest.has(outcome)) this.conflicts++;
    else increment(this.failures, outcome);
    return undefined;
  }
}

const increment = <Key>(counts: Map<Key, number>, key: Key): void => {
  counts.set(key, (counts.get(key) ?? 0) + 1);
};
