import { ApiClient, asAppended, asCreated, asTenantKey } from '../../../src/cli/index.js';

const WRITERS = 4;

export interface MessageShape {
  /** Length of a message. */
  textBytes: number;
  /** Number of messages that are appended by one request. */
  batch: number;
}

const small: MessageShape = { textBytes: 200, batch: 20 };

export interface AckedMessage {
  id: string;
  externalId: string;
}

/** Clients that append messages to a service until they are stopped, and remember what was acknowledged. */
export class AcknowledgedMessages {
  readonly messages: AckedMessage[] = [];
  private readonly stopping = new AbortController();
  private running: Promise<unknown> = Promise.resolve();
  private next = 0;

  private constructor(
    private readonly api: ApiClient,
    readonly conversations: readonly string[],
    private readonly shape: MessageShape,
  ) {}

  /** Creates a tenant and its conversations. */
  static async prepare(
    { url, adminKey }: { url: string; adminKey: string },
    shape = small,
  ): Promise<AcknowledgedMessages> {
    const tenant = { id: 'drill', name: 'Drill' };
    const key = await new ApiClient(url, adminKey).call('POST', '/v1/tenants', asTenantKey, tenant);
    const api = new ApiClient(url, key);
    const conversations: string[] = [];
    for (let n = 0; n < WRITERS; n++) {
      const conversation = { participantId: `p${n}`, channel: 'web' };
      conversations.push((await api.call('POST', '/v1/conversations', asCreated, conversation)).id);
    }
    return new AcknowledgedMessages(api, conversations, shape);
  }

  /** The key of the tenant. */
  get key(): string {
    return this.api.bearer ?? '';
  }

  /** Appends until `stop`, or until the service is gone, which then is no error. */
  start(): void {
    this.running = Promise.allSettled(
      this.conversations.map(async (id) => {
        while (!this.stopping.signal.aborted) await this.append(id);
      }),
    );
  }

  /** Resolves when every client has stopped. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** Appends until `isEnough` returns true. */
  async fill(isEnough: () => boolean): Promise<void> {
    await Promise.all(
      this.conversations.map(async (id) => {
        while (!isEnough()) await this.append(id);
      }),
    );
  }

  private async append(conversationId: string): Promise<void> {
    const messages = Array.from({ length: this.shape.batch }, () => {
      const externalId = `m${this.next++}`;
      return { role: 'user', content: this.text(externalId), externalId };
    });
    const path = `/v1/conversations/${conversationId}/messages`;
    const stored = await this.api.call('POST', path, asAppended, { messages });
    for (const { id, externalId } of stored) this.messages.push({ id, externalId: externalId ?? '' });
  }

  /** Words that differ from message to message, so that they are compressed about as real text is. */
  private text(seed: string): string {
    let text = `message ${seed}`;
    let state = this.next;
    while (text.length < this.shape.textBytes) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      text += ` ${state.toString(36)}`;
    }
    return text;
  }
}
