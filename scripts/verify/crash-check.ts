import { type ApiClient, RequestFailure } from '../replay/api-client.js';
import { asAppended, asMessagePage, type StoredMessage } from '../replay/api-shapes.js';
import {
  appendBody,
  type AckedMessage,
  contentOf,
  handleBody,
  type Ledger,
  type SessionRecord,
} from './crash-load.js';
import {
  asConversation,
  asConversationPage,
  asHandled,
  asValueSession,
  type CountedConversation,
  type ValueSession,
} from './crash-shapes.js';

export interface CrashProblem {
  /**
   * lost: not stored as it was acknowledged; doubled: an externalId or a seq stored twice; torn: a part of what belongs
   * together is stored (a batch, a message without its reply, counters, gaps of seq, session state).
   */
  kind: 'lost' | 'doubled' | 'torn';
  text: string;
}

export interface CrashFindings {
  /** Messages that the service acknowledged: appended, handled and replied. */
  acked: number;
  /** Of these, stored exactly as acknowledged. */
  found: number;
  problems: CrashProblem[];
}

interface StoredConversation {
  conversation: CountedConversation;
  messages: StoredMessage[];
}

const PAGE_SIZE = 200;

async function readMessages(api: ApiClient, conversationId: string): Promise<StoredMessage[]> {
  const messages: StoredMessage[] = [];
  for (let afterSeq = 0; ;) {
    const path = `/v1/conversations/${conversationId}/messages?afterSeq=${afterSeq}&limit=${PAGE_SIZE}`;
    const page = await api.call('GET', path, asMessagePage);
    messages.push(...page.data);
    const last = page.data.at(-1);
    if (page.nextCursor === null || last === undefined) return messages;
    afterSeq = last.seq;
  }
}

async function readConversation(api: ApiClient, id: string): Promise<StoredConversation> {
  const conversation = await api.call('GET', `/v1/conversations/${id}`, asConversation);
  return { conversation, messages: await readMessages(api, id) };
}

async function readOfParticipant(api: ApiClient, participantId: string): Promise<StoredConversation[]> {
  const path = `/v1/conversations?participantId=${participantId}&limit=${PAGE_SIZE}`;
  const { data } = await api.call('GET', path, asConversationPage);
  return Promise.all(data.map(({ id }) => readConversation(api, id)));
}

/** The session, or undefined when nothing of it was stored. */
async function readSession(api: ApiClient, participantId: string): Promise<ValueSession | undefined> {
  try {
    return await api.call('GET', `/v1/sessions/${participantId}`, asValueSession);
  } catch (error) {
    if (error instanceof RequestFailure && error.status === 404) return undefined;
    throw error;
  }
}

/** Compares what is stored with what was promised. */
export class CrashCheck {
  readonly findings: CrashFindings = { acked: 0, found: 0, problems: [] };

  constructor(
    private readonly api: ApiClient,
    private readonly ledger: Ledger,
  ) {}

  async run(): Promise<CrashFindings> {
    await this.checkAppends();
    await this.checkHandled();
    for (const record of this.ledger.sessions)
      this.checkSession(record, await readSession(this.api, record.participantId));
    return this.findings;
  }

  private async checkAppends(): Promise<void> {
    const ids = new Set(this.ledger.appends.map(({ conversationId }) => conversationId));
    for (const id of ids) {
      const stored = await readConversation(this.api, id);
      this.checkOrder(stored);
      const times = countByExternalId(stored.messages);
      for (const append of this.ledger.appends) {
        if (append.conversationId !== id) continue;
        const present = append.externalIds.filter((externalId) => times.has(externalId)).length;
        if (present > 0 && present < append.externalIds.length)
          this.tell('torn', `of the append ${append.externalIds.join(', ')} only ${present} are stored`);
        for (const [index, externalId] of append.externalIds.entries())
          this.checkOne(externalId, times.get(externalId) ?? 0, stored.messages, append.acked?.[index]);
      }
    }
  }

  private async checkHandled(): Promise<void> {
    const participants = new Set(this.ledger.handles.map(({ participantId }) => participantId));
    for (const participantId of participants) {
      const conversations = await readOfParticipant(this.api, participantId);
      const messages = conversations.flatMap((stored) => stored.messages);
      for (const stored of conversations) this.checkOrder(stored);
      const questions = messages.filter(({ role }) => role === 'user').length;
      const replies = messages.filter(({ role }) => role === 'assistant').length;
      if (questions !== replies)
        this.tell('torn', `${participantId} has ${questions} messages and ${replies} replies`);
      const version = (await readSession(this.api, participantId))?.version ?? 0;
      if (version !== questions)
        this.tell('torn', `${participantId} has session version ${version} after ${questions} messages`);
      const times = countByExternalId(messages);
      for (const { externalId, acked, ...handle } of this.ledger.handles) {
        if (handle.participantId !== participantId) continue;
        this.checkOne(externalId, times.get(externalId) ?? 0, messages, acked?.message);
        if (acked) this.checkAcked(`the reply to ${externalId}`, messages, acked.reply);
      }
    }
  }

  /** `seq` is 1, 2, 3 … and the conversation's counter is the count of its messages. */
  private checkOrder({ conversation, messages }: StoredConversation): void {
    const { id, messageCount } = conversation;
    if (messageCount !== messages.length)
      this.tell('torn', `conversation ${id} counts ${messageCount} messages and holds ${messages.length}`);
    for (const [index, { seq }] of messages.entries())
      if (seq !== index + 1) {
        const repeated = messages[index - 1]?.seq === seq;
        this.tell(repeated ? 'doubled' : 'torn', `conversation ${id} has seq ${seq} in place ${index + 1}`);
        return;
      }
  }

  private checkOne(
    externalId: string,
    times: number,
    messages: readonly StoredMessage[],
    acked: AckedMessage | undefined,
  ): void {
    if (times > 1) this.tell('doubled', `${externalId} is stored ${times} times`);
    if (acked) this.checkAcked(externalId, messages, acked, externalId);
  }

  /** `externalId` is that of the message, none for a reply. */
  private checkAcked(
    what: string,
    messages: readonly StoredMessage[],
    { id, seq }: AckedMessage,
    externalId?: string,
  ): void {
    this.findings.acked++;
    const same = messages.find((message) => message.id === id);
    const asSent =
      externalId === undefined || (same?.externalId === externalId && same.content === contentOf(externalId));
    if (same?.seq === seq && asSent) this.findings.found++;
    else
      this.tell('lost', `${what} was acknowledged as ${id} with seq ${seq}, stored: ${JSON.stringify(same)}`);
  }

  /** The three places that are written together hold one value, the last that was acknowledged or the one under way. */
  private checkSession({ participantId, lastSent, lastAcked }: SessionRecord, session?: ValueSession): void {
    const values = session
      ? [session.context['value'], ...session.activeGoals.map(({ slots }) => slots['value'])]
      : [0, 0, 0];
    const [value] = values;
    if (values.length !== 3 || new Set(values).size !== 1 || typeof value !== 'number')
      this.tell('torn', `session ${participantId} holds the values ${JSON.stringify(values)}`);
    else if (value < lastAcked || value > lastSent)
      this.tell(
        'lost',
        `session ${participantId} holds ${value}; acknowledged ${lastAcked}, sent ${lastSent}`,
      );
  }

  private tell(kind: CrashProblem['kind'], text: string): void {
    this.findings.problems.push({ kind, text });
  }
}

function countByExternalId(messages: readonly StoredMessage[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { externalId } of messages)
    if (externalId != null) counts.set(externalId, (counts.get(externalId) ?? 0) + 1);
  return counts;
}

/** Sends again, as a client would, whatever was not acknowledged, and records the answers. Answers how many that were. */
export async function retryUnacked(api: ApiClient, ledger: Ledger): Promise<number> {
  const appends = ledger.appends.filter(({ acked }) => acked === undefined);
  const handles = ledger.handles.filter(({ acked }) => acked === undefined);
  await Promise.all([
    ...appends.map(async (record) => {
      const path = `/v1/conversations/${record.conversationId}/messages`;
      record.acked = await api.call('POST', path, asAppended, appendBody(record));
    }),
    ...handles.map(async (record) => {
      record.acked = await api.call('POST', '/v1/messages', asHandled, handleBody(record));
    }),
  ]);
  return appends.length + handles.length;
}
