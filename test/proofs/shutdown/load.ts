import { withTimeout } from '../../../src/common/index.js';
import { BenchConnection, httpRequest } from '../../support/http-load.js';

/** One request, either a write or a read. */
export interface SentRequest {
  /** Unique key, contained in the text that was sent. */
  key: string;
  kind: 'append' | 'handle' | 'transcript' | 'read';
  participantId: string;
  /**
   * Undefined if the connection was closed before the response started. This is acceptable if the request had
   * no effect, because it was sent while an idle connection was being closed. `cut` if the connection was
   * closed during the response.
   */
  answer?: number | 'cut';
}

const WAIT_MS = 60_000;

const noAnswer = (): never => {
  throw new Error(`no response within ${WAIT_MS} ms`);
};

const SUCCESS: Readonly<Record<SentRequest['kind'], number>> = {
  append: 201,
  handle: 201,
  transcript: 202,
  read: 200,
};

export const isAcked = ({ kind, answer }: SentRequest): boolean => answer === SUCCESS[kind];

/**
 * Clients that send one request at a time, each on a keep-alive connection, until the service accepts no new
 * connections.
 */
export class ShutdownLoad {
  readonly sent: SentRequest[] = [];
  /** When the service first closed or refused a connection, on the clock of performance.now(). */
  firstClosedAt = Infinity;
  private onAnswer: (() => void) | undefined;

  constructor(
    private readonly options: {
      url: string;
      key: string;
      clients: number;
      /** Prefix of every name that this load creates. */
      prefix: string;
      /** Returns the conversation that a client appends to. */
      conversationOf: (client: number) => string;
    },
  ) {}

  participantOf(client: number): string {
    return `${this.options.prefix}-p${client}`;
  }

  /** Resolves when the connection of every client has been refused. */
  async run(): Promise<void> {
    await Promise.all(Array.from({ length: this.options.clients }, (_, index) => this.client(index)));
  }

  /** Resolves on the next response, which shows that the load is running. */
  underWay(): Promise<void> {
    return new Promise((resolve) => (this.onAnswer = resolve));
  }

  private async client(index: number): Promise<void> {
    let connection: BenchConnection | undefined;
    for (let count = index; ; count++) {
      const open: BenchConnection | undefined = connection ?? (await this.open());
      if (!open) return;
      const { entry, request } = this.next(index, count);
      this.sent.push(entry);
      const goesOn = await this.exchange(open, entry, request);
      connection = goesOn ? open : undefined;
      if (goesOn) continue;
      this.closed();
      open.close();
    }
  }

  /** Undefined when the service no longer accepts connections. */
  private async open(): Promise<BenchConnection | undefined> {
    try {
      return await BenchConnection.open(this.options.url);
    } catch {
      this.closed();
      return undefined;
    }
  }

  /** Returns whether the connection can be reused. */
  private async exchange(connection: BenchConnection, entry: SentRequest, request: Buffer): Promise<boolean> {
    try {
      entry.answer = (await withTimeout(connection.send(request), WAIT_MS, noAnswer)).status;
      this.onAnswer?.();
      return !connection.isEnding;
    } catch {
      if (connection.isMidResponse) entry.answer = 'cut';
      return false;
    }
  }

  private closed(): void {
    this.firstClosedAt = Math.min(this.firstClosedAt, performance.now());
  }

  private next(index: number, count: number): { entry: SentRequest; request: Buffer } {
    const { prefix, key: bearer, conversationOf } = this.options;
    const participantId = this.participantOf(index);
    const key = `${prefix}-${index}-${count}`;
    const send = (method: string, path: string, body?: unknown): Buffer =>
      httpRequest(method, path, bearer, body);
    const messages = `/v1/conversations/${conversationOf(index)}/messages`;
    switch (count % 4) {
      case 0:
        return {
          entry: { key, kind: 'append', participantId },
          request: send('POST', messages, { messages: [{ role: 'user', content: key, externalId: key }] }),
        };
      case 1:
        return {
          entry: { key, kind: 'handle', participantId },
          request: send('POST', '/v1/messages', {
            participantId,
            channel: 'web',
            content: key,
            externalId: key,
          }),
        };
      case 2:
        return {
          entry: { key, kind: 'transcript', participantId },
          request: send('POST', '/v1/transcripts', {
            participantId,
            channel: 'web',
            transcript: key,
            externalId: key,
          }),
        };
      default:
        return {
          entry: { key, kind: 'read', participantId },
          request: send('GET', `${messages}?limit=20`),
        };
    }
  }
}
