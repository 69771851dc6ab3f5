import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';

export interface PostRequest {
  url: URL;
  headers: Record<string, string>;
  body: string;
  signal: AbortSignal;
}

export interface PostResponse {
  status: number;
  /** Value of `Retry-After`. */
  retryAfter: string | undefined;
  body: string;
}

export class ResponseTooLargeError extends Error {
  constructor(readonly maxBytes: number) {
    super(`the response has more than ${maxBytes} bytes`);
    this.name = 'ResponseTooLargeError';
  }
}

/** Posts over HTTP or HTTPS on connections that are kept open. Redirects are not followed; compression is not asked for. */
export class HttpPoster {
  private readonly http = new HttpAgent({ keepAlive: true, maxSockets: 64 });
  private readonly https = new HttpsAgent({ keepAlive: true, maxSockets: 64 });

  constructor(
    private readonly maxResponseBytes: number,
    private readonly lookup?: LookupFunction,
  ) {}

  /** @throws Error of the network, AbortError, or ResponseTooLargeError */
  async post({ url, headers, body, signal }: PostRequest): Promise<PostResponse> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const isSecure = url.protocol === 'https:';
      const request = (isSecure ? httpsRequest : httpRequest)(url, {
        method: 'POST',
        agent: isSecure ? this.https : this.http,
        headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) },
        signal,
        ...(this.lookup && { lookup: this.lookup }),
      });
      request.on('response', resolve);
      request.on('error', reject);
      request.end(body);
    });
    return {
      status: response.statusCode ?? 0,
      retryAfter: response.headers['retry-after'],
      body: await this.read(response),
    };
  }

  close(): void {
    this.http.destroy();
    this.https.destroy();
  }

  private async read(response: IncomingMessage): Promise<string> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      // Leaving the loop destroys the response and its connection.
      if (bytes > this.maxResponseBytes) throw new ResponseTooLargeError(this.maxResponseBytes);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  }
}
