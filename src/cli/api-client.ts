/** Tells what went wrong with one request: the `code` of the problem document, or the reason why there was no answer. */
export class RequestFailure extends Error {
  constructor(
    /** The problem document's `code`, `http_<status>` without one, or `no_answer`. */
    readonly code: string,
    /** 0 when there was no answer. */
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
  /** Parsed JSON; the text itself when it is not JSON; undefined when empty. */
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

/** The reason that fetch gives is in the `cause`; its own message is always "fetch failed". */
function reasonOf(error: unknown): string {
  if (!isObject(error)) return String(error);
  if (isObject(error['cause'])) return reasonOf(error['cause']);
  return String(error['message'] || error['code']);
}

/** A small client of Colloquy's REST API over the connections that `fetch` keeps open. */
export class ApiClient {
  constructor(
    /** Without a path, for example http://127.0.0.1:3000. */
    readonly url: string,
    readonly bearer: string | undefined,
  ) {}

  /** Sends a request and reads the answer whatever its status. @throws RequestFailure `no_answer` */
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

  /** The answer's body, which `check` turns into what is wanted. @throws RequestFailure unless the status is 2xx */
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
