import { type ApiClient, asAppended, asCreated, RequestFailure } from '../../../src/cli/index.js';
import { asHandled, asVersioned } from './shapes.js';

export interface AckedMessage {
  id: string;
  seq: number;
}

/** One append, whose messages must all be stored or none. `acked` is the response of the service. */
export interface AppendRecord {
  conversationId: string;
  externalIds: string[];
  acked?: AckedMessage[];
}

/** One inbound message sent for processing. */
export interface HandleRecord {
  participantId: string;
  externalId: string;
  acked?: { conversationId: string; message: AckedMessage; reply: AckedMessage };
}

/** The increasing number that a client repeatedly writes to two goals and the context of one session. */
export interface SessionRecord {
  participantId: string;
  lastSent: number;
  lastAcked: number;
}

/** All requests sent under load, with what the service acknowledged. */
export interface Ledger {
  appends: AppendRecord[];
  handles: HandleRecord[];
  sessions: SessionRecord[];
  /** Counts of unsuccessful responses by code. A connection closed by the kill is not counted. */
  refused: Map<string, number>;
}

/** The number of clients for each kind of work. */
export interface LoadShape {
  /** Number of conversations that are appended to, and of clients per conversation. */
  conversations: number;
  appendersEach: number;
  /** Number of participants whose messages are processed, and of clients per participant. */
  participants: number;
  handlersEach: number;
  sessionWriters: number;
}

const fewClients: LoadShape = {
  conversations: 3,
  appendersEach: 3,
  participants: 3,
  handlersEach: 2,
  sessionWriters: 3,
};
const LARGEST_BATCH = 3;

/** The content of the message with this externalId. */
export const contentOf = (externalId: string): string => `message ${externalId}`;

export const appendBody = ({ externalIds }: AppendRecord): unknown => ({
  messages: externalIds.map((externalId) => ({ role: 'user', content: contentOf(externalId), externalId })),
});

export const handleBody = ({ participantId, externalId }: HandleRecord): unknown => ({
  participantId,
  channel: 'web',
  content: contentOf(externalId),
  externalId,
});

export const sessionBody = (value: number): unknown => ({
  activeGoals: [
    { type: 'left', slots: { value } },
    { type: 'right', slots: { value } },
  ],
  context: { value },
});

/** Concurrent clients, each sending one request at a time until the service stops responding. */
export class CrashLoad {
  readonly ledger: Ledger = { appends: [], handles: [], sessions: [], refused: new Map() };
  private readonly conversations: { id: string }[] = [];
  private next = 0;

  constructor(
    private readonly api: ApiClient,
    /** Prefix of every name that this load creates. */
    private readonly prefix: string,
    private readonly shape: LoadShape = fewClients,
  ) {}

  /** Creates the conversations to append to. */
  async prepare(): Promise<void> {
    for (let index = 0; index < this.shape.conversations; index++) {
      const conversation = { participantId: `${this.prefix}-c${index}`, channel: 'web' };
      this.conversations.push(await this.api.call('POST', '/v1/conversations', asCreated, conversation));
    }
  }

  /** Resolves when every client has lost its connection to the service. */
  async run(): Promise<void> {
    const { appendersEach, participants, handlersEach, sessionWriters } = this.shape;
    await Promise.all([
      ...this.conversations.flatMap(({ id }) =>
        times(appendersEach, () => this.untilGone(() => this.append(id))),
      ),
      ...times(participants, (participant) =>
        times(handlersEach, () => this.untilGone(() => this.handle(`${this.prefix}-h${participant}`))),
      ).flat(),
      ...times(sessionWriters, (writer) => this.writeSession(`${this.prefix}-s${writer}`)),
    ]);
  }

  private async untilGone(work: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await work();
      } catch (error) {
        if (!(error instanceof RequestFailure)) throw error;
        if (error.status === 0) return;
        this.ledger.refused.set(error.code, (this.ledger.refused.get(error.code) ?? 0) + 1);
      }
    }
  }

  private externalId(): string {
    return `${this.prefix}-${++this.next}`;
  }

  private async append(conversationId: string): Promise<void> {
    const size = 1 + (this.next % LARGEST_BATCH);
    const record: AppendRecord = { conversationId, externalIds: times(size, () => this.externalId()) };
    this.ledger.appends.push(record);
    const path = `/v1/conversations/${conversationId}/messages`;
    record.acked = await this.api.call('POST', path, asAppended, appendBody(record));
  }

  private async handle(participantId: string): Promise<void> {
    const record: HandleRecord = { participantId, externalId: this.externalId() };
    this.ledger.handles.push(record);
    record.acked = await this.api.call('POST', '/v1/messages', asHandled, handleBody(record));
  }

  private async writeSession(participantId: string): Promise<void> {
    const record: SessionRecord = { participantId, lastSent: 0, lastAcked: 0 };
    this.ledger.sessions.push(record);
    await this.untilGone(async () => {
      record.lastSent++;
      await this.api.call(
        'PATCH',
        `/v1/sessions/${participantId}`,
        asVersioned,
        sessionBody(record.lastSent),
      );
      record.lastAcked = record.lastSent;
    });
  }
}

const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));
