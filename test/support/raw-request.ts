import { Agent, request } from 'node:http';
import { parseExactJson } from '../../src/common/index.js';

export interface RawRequest {
  method: string;
  /** Everything after the authority, already encoded. */
  target: string;
  key: string;
  /** JSON text, sent as it is. */
  body?: string | undefined;
  headers?: Record<string, string>;
}

export interface RawResponse {
  status: number;
  contentType: string;
  body: Record<string, unknown>;
}

/** Sends requests exactly as given: unlike `fetch`, it neither normalizes paths nor serializes bodies. */
export class RawClient {
  private readonly agent = new Agent({ keepAlive: true });

  constructor(private readonly origin: string) {}

  async send({ method, target, key, body, headers = {} }: RawRequest): Promise<RawResponse> {
    const { status, contentType, bytes } = await this.exchange(
      { method, path: target },
      {
        authorization: `Bearer ${key}`,
        ...(body !== undefined && {
          'content-type': 'application/json',
          'content-length': String(Buffer.byteLength(body)),
        }),
        ...headers,
      },
      body,
    );
    const isJson = contentType.includes('json') && !contentType.includes('ndjson');
    // Whoever reads a response as strictly as the service reads requests must be able to read it.
    const parsed = bytes.length > 0 && isJson ? parseExactJson(bytes, Infinity) : undefined;
    return { status, contentType, body: (parsed ?? {}) as Record<string, unknown> };
  }

  close(): void {
    this.agent.destroy();
  }

  private exchange(
    options: { method: string; path: string },
    headers: Record<string, string>,
    body: string | undefined,
  ): Promise<{ status: number; contentType: string; bytes: Buffer }> {
    return new Promise((resolve, reject) => {
      const sent = request(this.origin, { ...options, headers, agent: this.agent }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', reject);
        response.on('end', () => {
          const { statusCode: status = 0, headers: received } = response;
          resolve({ status, contentType: received['content-type'] ?? '', bytes: Buffer.concat(parts) });
        });
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }
}
