import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  ApiClient,
  type ApiResponse,
  asCreated,
  asMessagePage,
  asTenantKey,
  RequestFailure,
} from '../../src/cli/index.js';
import { createServiceFolder, type ServiceFolder, type ServiceProcess } from '../support/process.js';

/** A responder endpoint whose responses the test controls. */
class HeldResponder {
  private server?: Server;
  private readonly waiting: ServerResponse[] = [];
  private arrived: () => void = () => undefined;

  async start(): Promise<string> {
    this.server = createServer((request, response) => {
      request.resume().on('end', () => {
        this.waiting.push(response);
        this.arrived();
      });
    });
    await new Promise<void>((resolve) => this.server?.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server?.address() as AddressInfo).port}/reply`;
  }

  /** Resolves when this many calls are waiting for a response. */
  async holding(count: number): Promise<void> {
    while (this.waiting.length < count) await new Promise<void>((resolve) => (this.arrived = resolve));
  }

  release(): void {
    for (const response of this.waiting.splice(0))
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"reply":{"content":"At last"}}');
  }

  stop(): void {
    this.release();
    this.server?.close();
    this.server?.closeAllConnections();
  }
}

describe('shutdown with requests in progress', () => {
  let folder: ServiceFolder;
  let service: ServiceProcess;
  let api: ApiClient;

  beforeEach(async () => {
    folder = await createServiceFolder();
    service = await folder.start({ HTTP_RESPONDER_ALLOW_PRIVATE: 'true' });
    const tenant = { id: 'busy', name: 'Busy' };
    const key = await new ApiClient(service.url, service.adminKey).call(
      'POST',
      '/v1/tenants',
      asTenantKey,
      tenant,
    );
    api = new ApiClient(service.url, key);
  });
  afterEach(() => folder.remove());

  it.each(['SIGTERM', 'SIGINT'] as const)(
    '%s: accepts no new connections, responds to all accepted requests, and exits with code 0',
    async (signal) => {
      const responder = new HeldResponder();
      try {
        const url = await responder.start();
        const settings = { type: 'http', config: { url, secret: 'a-secret-of-the-test' } };
        expect(await api.request('PUT', '/v1/responder', settings)).toMatchObject({ status: 200 });
        const inFlight = ['ana', 'ben', 'eve'].map((participantId) =>
          api.request('POST', '/v1/messages', { participantId, channel: 'web', content: 'Hello' }),
        );
        await responder.holding(inFlight.length);
        const stopped = service.kill(signal);
        await refused(service.url);
        responder.release();
        for (const answer of await Promise.all(inFlight))
          expect(answer).toMatchObject({ status: 201, body: { reply: { content: 'At last' } } });
        expect(await stopped).toEqual({ code: 0, signal: null });
      } finally {
        responder.stop();
      }
    },
  );

  it('stores every answered request, and no unanswered one', async () => {
    const { id } = await api.call('POST', '/v1/conversations', asCreated, {
      participantId: 'ana',
      channel: 'web',
    });
    const path = `/v1/conversations/${id}/messages`;
    const answered = new Set<string>();
    let firstAnswers: () => void = () => undefined;
    const underWay = new Promise<void>((resolve) => (firstAnswers = resolve));
    const client = async (name: string): Promise<void> => {
      for (let count = 1; ; count++) {
        const externalId = `${name}-${count}`;
        const message = { role: 'user', content: externalId, externalId };
        const answer = await api.request('POST', path, { messages: [message] }).catch(ended);
        if (answer?.status !== 201) return;
        answered.add(externalId);
        if (answered.size >= 20) firstAnswers();
      }
    };
    const clients = Array.from({ length: 8 }, (_, index) => client(`client-${index}`));
    await underWay;
    expect(await service.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    await Promise.all(clients);

    const again = await folder.start();
    const stored = await readAll(new ApiClient(again.url, api.bearer), path);
    expect(new Set(stored)).toEqual(answered);
    expect(stored).toHaveLength(answered.size);
  });

  it('exits with code 1 if it takes longer than SHUTDOWN_GRACE_MS', async () => {
    const responder = new HeldResponder();
    try {
      const url = await responder.start();
      await service.kill('SIGTERM');
      service = await folder.start({ HTTP_RESPONDER_ALLOW_PRIVATE: 'true', SHUTDOWN_GRACE_MS: '50' });
      api = new ApiClient(service.url, api.bearer);
      const settings = { type: 'http', config: { url, secret: 'a-secret-of-the-test' } };
      await api.request('PUT', '/v1/responder', settings);
      const inFlight = api
        .request('POST', '/v1/messages', { participantId: 'ana', channel: 'web', content: 'Hello' })
        .catch(ended);
      await responder.holding(1);
      expect(await service.kill('SIGTERM')).toEqual({ code: 1, signal: null });
      expect(await inFlight).toBeUndefined();
    } finally {
      responder.stop();
    }
  });
});

/** The connection was closed without a response. */
function ended(error: unknown): undefined {
  if (error instanceof RequestFailure && error.status === 0) return undefined;
  throw error;
}

/** Resolves once the service accepts no new connections. */
async function refused(url: string): Promise<void> {
  for (;;) {
    const answer: ApiResponse | undefined = await new ApiClient(url, undefined)
      .request('GET', '/health/live', undefined, { connection: 'close' })
      .catch(ended);
    if (!answer) return;
  }
}

async function readAll(api: ApiClient, path: string): Promise<(string | null | undefined)[]> {
  const ids: (string | null | undefined)[] = [];
  for (let afterSeq = 0; ;) {
    const { data, nextCursor } = await api.call(
      'GET',
      `${path}?limit=200&afterSeq=${afterSeq}`,
      asMessagePage,
    );
    ids.push(...data.map(({ externalId }) => externalId));
    afterSeq = data.at(-1)?.seq ?? afterSeq;
    if (nextCursor === null) return ids;
  }
}
