/** A failed request, with the `code` of the problem document or the reason why there was no response. */
export class RequestFailure extends Error {
  constructor(
    /**
     * The problem document's `code`, otherwise `http_<status>`, or `no_answer` when there was no response.
     */
    readonly code: string,
    /** 0 when there was no response. */
    readonly status: number,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'RequestFailure';
  }
}

export interface ApiResponse {
  status: number;
  headers: Headers;
  /** Parsed JSON, the text itself when it is not JSON, or undefined when empty. */
  body: unknown;
}

export type RequestHeaders = Readonly<Record<string, string>>;

function parse(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The reason for a failure of fetch is in the `cause`; its own message is always "fetch failed". */
function reasonOf(error: unknown): string {
  if (!isObject(error)) return String(error);
  if (isObject(error['cause'])) return reasonOf(error['cause']);
  return String(error['message'] || error['code']);
}

/** A small client for Colloquy's REST API that uses the kept-alive connections of `fetch`. */
export class ApiClient {
  constructor(
    /** Without a path, for example http://127.0.0.1:3000. */
    readonly url: string,
    readonly bearer: string | undefined,
  ) {}

  /**
   * Sends a request and returns the response, whatever its status. @throws RequestFailure `no_answer` when
   * there is none
   */
  async request(
    method: string,
    path: string,
    body?: unknown,
    headers: RequestHeaders = {},
  ): Promise<ApiResponse> {
    try {
      const response = await fetch(new URL(path, this.url), {
        method,
        headers: {
          ...(this.bearer !== undefined && { authorization: `Bearer ${this.bearer}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      return { status: response.status, headers: response.headers, body: parse(await response.text()) };
    } catch (error) {
      throw new RequestFailure('no_answer', 0, `${method} ${path}: ${reasonOf(error)}`, { cause: error });
    }
  }

  /**
   * Sends a request and returns the body of the response, converted by `check`. @throws RequestFailure unless
   * the status is 2xx
   */
  async call<T>(
    method: string,
    path: string,
    check: (body: unknown) => T,
    body?: unknown,
    headers: RequestHeaders = {},
  ): Promise<T> {
    const response = await this.request(method, path, body, headers);
    if (response.status >= 200 && response.status < 300) return check(response.body);
    const problem = isObject(response.body) ? response.body : {};
    const code = typeof problem['code'] === 'string' ? problem['code'] : `http_${response.status}`;
    const detail =
      typeof problem['detail'] === 'string' ? problem['detail'] : JSON.stringify(response.body ?? '');
    throw new RequestFailure(
      code,
      response.status,
      `${method} ${path}: ${response.status} ${code} ${detail}`,
    );
  }
}
