import {
  type ApiClient,
  asAppended,
  asMessagePage,
  RequestFailure,
  type StoredMessage,
} from '../../../src/cli/index.js';
import {
  appendBody,
  type AckedMessage,
  type AppendRecord,
  contentOf,
  handleBody,
  type HandleRecord,
  type Ledger,
  type SessionRecord,
} from './load.js';
import {
  asConversation,
  asConversationPage,
  asHandled,
  asValueSession,
  type CountedConversation,
  type ValueSession,
} from './shapes.js';

export interface CrashProblem {
  /**
   * lost: not stored as acknowledged. duplicated: an externalId or a seq is stored twice. torn: only part of an
   * atomic write is stored (part of a batch, a message without its reply, inconsistent counters, gaps in seq,
   * inconsistent session state).
   */
  kind: 'lost' | 'duplicated' | 'torn';
  text: string;
}

export interface CrashFindings {
  /** Messages that the service acknowledged: appended messages, processed messages and replies. */
  acked: number;
  /** How many of these are stored exactly as acknowledged. */
  found: number;
  /** Messages that are stored although their sender received no response. */
  unanswered: number;
  problems: CrashProblem[];
}

export interface StoredConversation {
  conversation: CountedConversation;
  messages: StoredMessage[];
}

const PAGE_SIZE = 200;
const REPEATING_CLIENTS = 64;

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

export async function readConversation(api: ApiClient, id: string): Promise<StoredConversation> {
  const conversation = await api.call('GET', `/v1/conversations/${id}`, asConversation);
  return { conversation, messages: await readMessages(api, id) };
}

async function readOfParticipant(api: ApiClient, participantId: string): Promise<StoredConversation[]> {
  const path = `/v1/conversations?participantId=${participantId}&limit=${PAGE_SIZE}`;
  const { data } = await api.call('GET', path, asConversationPage);
  return Promise.all(data.map(({ id }) => readConversation(api, id)));
}

/** The session, or undefined if none is stored. */
async function readSession(api: ApiClient, participantId: string): Promise<ValueSession | undefined> {
  try {
    return await api.call('GET', `/v1/sessions/${participantId}`, asValueSession);
  } catch (error) {
    if (error instanceof RequestFailure && error.status === 404) return undefined;
    throw error;
  }
}

/** Compares the stored data with everything that was acknowledged. */
export class CrashCheck {
  readonly findings: CrashFindings = { acked: 0, found: 0, unanswered: 0, problems: [] };

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
          this.report(
            'torn',
            `only ${present} messages of the append ${append.externalIds.join(', ')} are stored`,
          );
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
      const questions = this.checkReplies(messages);
      const version = (await readSession(this.api, participantId))?.version ?? 0;
      if (version !== questions)
        this.report('torn', `${participantId} has session version ${version} after ${questions} messages`);
      const times = countByExternalId(messages);
      for (const { externalId, acked, ...handle } of this.ledger.handles) {
        if (handle.participantId !== participantId) continue;
        this.checkOne(externalId, times.get(externalId) ?? 0, messages, acked?.message);
        if (acked) this.checkAcked(`the reply to ${externalId}`, messages, acked.reply);
      }
    }
  }

  /**
   * Checks that each user message has exactly one reply and that there are no other messages. Returns the
   * number of user messages.
   */
  private checkReplies(messages: readonly StoredMessage[]): number {
    const left = messages.flatMap(({ replyTo }) => replyTo ?? []);
    const questions = messages.filter(({ role }) => role === 'user');
    for (const { id, externalId } of questions) {
      const replies = left.filter((replyTo) => replyTo === id).length;
      if (replies === 1) continue;
      this.report(replies > 1 ? 'duplicated' : 'torn', `${externalId ?? id} has ${replies} replies`);
    }
    const others = messages.length - 2 * questions.length;
    if (others > 0) this.report('torn', `${others} messages are neither user messages nor replies to one`);
    return questions.length;
  }

  /**
   * Checks that `seq` is 1, 2, 3 … and that the counter of the conversation equals the number of its
   * messages.
   */
  private checkOrder({ conversation, messages }: StoredConversation): void {
    const { id, messageCount } = conversation;
    if (messageCount !== messages.length)
      this.report(
        'torn',
        `conversation ${id} has messageCount ${messageCount} but contains ${messages.length} messages`,
      );
    for (const [index, { seq }] of messages.entries())
      if (seq !== index + 1) {
        const repeated = messages[index - 1]?.seq === seq;
        this.report(
          repeated ? 'duplicated' : 'torn',
          `conversation ${id} has seq ${seq} at position ${index + 1}`,
        );
        return;
      }
  }

  private checkOne(
    externalId: string,
    times: number,
    messages: readonly StoredMessage[],
    acked: AckedMessage | undefined,
  ): void {
    if (times > 1) this.report('duplicated', `${externalId} is stored ${times} times`);
    if (acked) this.checkAcked(externalId, messages, acked, externalId);
    else this.findings.unanswered += times;
  }

  /** @param externalId of the message; undefined for a reply */
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
      this.report(
        'lost',
        `${what} was acknowledged as ${id} with seq ${seq}, stored: ${JSON.stringify(same)}`,
      );
  }

  /**
   * Checks that the three fields written together hold the same value: the last one acknowledged, or the one
   * in flight at the kill.
   */
  private checkSession({ participantId, lastSent, lastAcked }: SessionRecord, session?: ValueSession): void {
    const values = session
      ? [session.context['value'], ...session.activeGoals.map(({ slots }) => slots['value'])]
      : [0, 0, 0];
    const [value] = values;
    if (values.length !== 3 || new Set(values).size !== 1 || typeof value !== 'number')
      this.report('torn', `session ${participantId} has the values ${JSON.stringify(values)}`);
    else if (value < lastAcked || value > lastSent)
      this.report(
        'lost',
        `session ${participantId} has the value ${value}; acknowledged ${lastAcked}, sent ${lastSent}`,
      );
  }

  private report(kind: CrashProblem['kind'], text: string): void {
    this.findings.problems.push({ kind, text });
  }
}

function countByExternalId(messages: readonly StoredMessage[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { externalId } of messages)
    if (externalId != null) counts.set(externalId, (counts.get(externalId) ?? 0) + 1);
  return counts;
}

const isSame = (first: AckedMessage | undefined, second: AckedMessage | undefined): boolean =>
  first?.id === second?.id && first?.seq === second?.seq;

/**
 * Repeats every request with the same externalIds, as a client may, and records the acknowledgements missing
 * so far.
 */
export class RepeatedRequests {
  /** Requests that had received no response. */
  unanswered = 0;
  /** Requests whose second acknowledgement differs from the first. */
  readonly problems: CrashProblem[] = [];

  constructor(
    private readonly api: ApiClient,
    private readonly ledger: Ledger,
  ) {}

  async send(): Promise<this> {
    const left = [
      ...this.ledger.appends.map((record) => () => this.append(record)),
      ...this.ledger.handles.map((record) => () => this.handle(record)),
    ].reverse();
    const client = async (): Promise<void> => {
      for (let next = left.pop(); next; next = left.pop()) await next();
    };
    await Promise.all(Array.from({ length: REPEATING_CLIENTS }, client));
    return this;
  }

  private async append(record: AppendRecord): Promise<void> {
    const path = `/v1/conversations/${record.conversationId}/messages`;
    const again = await this.api.call('POST', path, asAppended, appendBody(record));
    this.compare(record.externalIds, record.acked, again);
    record.acked ??= again;
  }

  private async handle(record: HandleRecord): Promise<void> {
    const again = await this.api.call('POST', '/v1/messages', asHandled, handleBody(record));
    const { acked } = record;
    this.compare(
      [record.externalId, `the reply to ${record.externalId}`],
      acked && [acked.message, acked.reply],
      [again.message, again.reply],
    );
    record.acked ??= again;
  }

  private compare(
    names: readonly string[],
    before: readonly AckedMessage[] | undefined,
    again: readonly AckedMessage[],
  ): void {
    if (!before) {
      this.unanswered++;
      return;
    }
    for (const [index, name] of names.entries())
      if (!isSame(before[index], again[index])) {
        const shown = JSON.stringify([before[index], again[index]]);
        this.problems.push({
          kind: 'duplicated',
          text: `${name} was acknowledged twice, differently: ${shown}`,
        });
      }
  }
}
