import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

export interface SentryException {
  type: string;
  value: string;
  stacktrace?: { frames: { filename?: string; function?: string }[] };
}

/** The fields of an event that tests check. */
export interface SentryEvent {
  event_id: string;
  level: string;
  release: string;
  environment: string;
  message?: string;
  tags: Record<string, string | number>;
  exception?: { values: SentryException[] };
}

export interface FakeSentry {
  /** Value for the setting SENTRY_DSN. */
  dsn: string;
  /** All events received, oldest first. */
  readonly events: readonly SentryEvent[];
  /** The types of all items received, events and others. */
  readonly itemTypes: readonly string[];
  /** The envelopes received, uncompressed: everything the server would have stored. */
  readonly received: string;
  /** Resolves with the events once this many have been received. */
  arrived(count: number): Promise<readonly SentryEvent[]>;
  /** From now on the server accepts requests but never responds. */
  hang(): void;
  close(): Promise<void>;
}

const PROJECT = '42';
const KEY = 'publickeyofthefakesentry';

interface EnvelopeItem {
  type: string;
  payload: string;
}

/**
 * Parses the items of an envelope. An envelope starts with a line of JSON. Each item consists of a line of
 * JSON and its payload, which has `length` bytes, or ends at the end of the line if no length is given.
 */
export function parseEnvelope(envelope: Buffer): EnvelopeItem[] {
  const items: EnvelopeItem[] = [];
  const lineEnd = (from: number): number => {
    const at = envelope.indexOf('\n', from);
    return at < 0 ? envelope.length : at;
  };
  JSON.parse(envelope.toString('utf8', 0, lineEnd(0)));
  let at = lineEnd(0) + 1;
  while (at < envelope.length) {
    const end = lineEnd(at);
    const head = JSON.parse(envelope.toString('utf8', at, end)) as { type: string; length?: number };
    const payloadEnd = head.length === undefined ? lineEnd(end + 1) : end + 1 + head.length;
    if (payloadEnd > envelope.length) throw new Error('an item is longer than the rest of the envelope');
    items.push({ type: head.type, payload: envelope.toString('utf8', end + 1, payloadEnd) });
    at = payloadEnd + 1;
  }
  return items;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  return request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
}

/**
 * Starts a server on a free port that accepts envelopes as Sentry does: `POST /api/<project>/envelope/` with
 * the key of the DSN.
 */
export async function startFakeSentry(): Promise<FakeSentry> {
  const events: SentryEvent[] = [];
  const itemTypes: string[] = [];
  const envelopes: string[] = [];
  let isHanging = false;
  let onEvent: (() => void)[] = [];

  const take = async (request: IncomingMessage): Promise<number> => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://fake');
    const body = await bodyOf(request);
    if (request.method !== 'POST' || pathname !== `/api/${PROJECT}/envelope/`) return 404;
    const auth = searchParams.get('sentry_key') ?? String(request.headers['x-sentry-auth'] ?? '');
    if (!auth.includes(KEY)) return 403;
    envelopes.push(body.toString('utf8'));
    for (const { type, payload } of parseEnvelope(body)) {
      itemTypes.push(type);
      if (type === 'event') events.push(JSON.parse(payload) as SentryEvent);
    }
    for (const resolve of onEvent.splice(0)) resolve();
    return 200;
  };
  const server = createServer((request, response) => {
    if (isHanging) return;
    take(request).then(
      (status) => response.writeHead(status, { 'content-type': 'application/json' }).end('{}'),
      () => response.writeHead(400).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    dsn: `http://${KEY}@127.0.0.1:${port}/${PROJECT}`,
    events,
    itemTypes,
    get received() {
      return envelopes.join('\n');
    },
    async arrived(count) {
      while (events.length < count) await new Promise<void>((resolve) => onEvent.push(resolve));
      return events;
    },
    hang() {
      isHanging = true;
    },
    async close() {
      onEvent = [];
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
