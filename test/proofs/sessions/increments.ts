import { setTimeout as delay } from 'node:timers/promises';
import { backoffDelay } from '../../../src/common/index.js';
import type { ApiClient } from '../../../src/cli/index.js';
import { countOf } from './counting-endpoint.js';
import { asConversationId, asMessages, asSession, type CountedMessage } from './shapes.js';
import type { Tally } from './tally.js';

/** One way to increment the `count` of a session through any of several processes, and to check the total. */
export interface Increments {
  readonly name: string;
  /** Creates what must exist before the first client starts. */
  prepare(): Promise<void>;
  /** Adds one, retrying until the increment is acknowledged. @throws Error after MAX_ATTEMPTS attempts */
  increment(number: number): Promise<void>;
  /** Returns the stored count, and one sentence for each problem found. */
  check(expected: number): Promise<{ count: number; problems: string[] }>;
}

/** One session, accessed through clients of several processes. */
export interface IncrementsOptions {
  participantId: string;
  apis: readonly ApiClient[];
  tally: Tally;
  /** Returns a number from 0 to 1 that chooses the process and the wait after a conflict. */
  random: () => number;
}

/** Far more attempts than contention can require: a client that reaches this number will not succeed. */
const MAX_ATTEMPTS = 2000;
const conflictBackoff = { baseMs: 20, maxMs: 1000, jitter: 1 };
const PAGE_SIZE = 100;

abstract class SessionIncrements {
  protected readonly sessionPath: string;

  constructor(protected readonly options: IncrementsOptions) {
    this.sessionPath = `/v1/sessions/${encodeURIComponent(options.participantId)}`;
  }

  protected anyApi(): ApiClient {
    const { apis, random } = this.options;
    const api = apis[Math.floor(random() * apis.length)];
    if (!api) throw new Error('there are no processes');
    return api;
  }

  protected async untilDone(attempt: () => Promise<boolean>): Promise<void> {
    for (let attempts = 1; attempts <= MAX_ATTEMPTS; attempts++) {
      if (await attempt()) return;
      await delay(backoffDelay(attempts, { ...conflictBackoff, random: this.options.random }));
    }
    throw new Error(`an increment was not acknowledged in ${MAX_ATTEMPTS} attempts`);
  }

  /** Reads the count through every process; all must return the same value. */
  protected async storedCount(): Promise<{ count: number; problems: string[] }> {
    const counts: number[] = [];
    for (const api of this.options.apis)
      counts.push(countOf((await api.call('GET', this.sessionPath, asSession)).context));
    const [count = Number.NaN] = counts;
    const agree = counts.every((other) => other === count);
    return { count, problems: agree ? [] : [`the processes returned ${counts.join(' and ')}`] };
  }
}

/** Reads the session, then writes the count plus one with the version that was read as If-Match. */
export class PatchIncrements extends SessionIncrements implements Increments {
  readonly name = 'PATCH /v1/sessions';

  async prepare(): Promise<void> {
    await this.anyApi().call('PATCH', this.sessionPath, asSession, { context: { count: 0 } });
  }

  increment(): Promise<void> {
    return this.untilDone(() => this.tryOnce());
  }

  check(): Promise<{ count: number; problems: string[] }> {
    return this.storedCount();
  }

  private async tryOnce(): Promise<boolean> {
    const { tally } = this.options;
    const read = await tally.send(this.anyApi(), 'GET', this.sessionPath);
    if (!read) return false;
    const { version, context } = asSession(read.body);
    const body = { context: { count: countOf(context) + 1 } };
    const headers = { 'if-match': `"${version}"` };
    return (await tally.send(this.anyApi(), 'PATCH', this.sessionPath, body, headers)) !== undefined;
  }
}

/**
 * Sends a message to which the responder, a CountingEndpoint, reacts by adding one. The externalId prevents a
 * repeated message from being counted twice.
 */
export class MessageIncrements extends SessionIncrements implements Increments {
  readonly name = 'POST /v1/messages';
  private readonly conversationIds = new Set<string>();

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  increment(number: number): Promise<void> {
    return this.untilDone(() => this.tryOnce(number));
  }

  async check(expected: number): Promise<{ count: number; problems: string[] }> {
    const { count, problems } = await this.storedCount();
    const [conversationId, ...others] = this.conversationIds;
    if (others.length > 0) problems.push(`there are ${others.length + 1} conversations instead of one`);
    const messages = conversationId === undefined ? [] : await this.messagesOf(conversationId);
    return { count, problems: [...problems, ...messageProblems(messages, expected)] };
  }

  private async tryOnce(number: number): Promise<boolean> {
    const { tally, participantId } = this.options;
    const answer = await tally.send(this.anyApi(), 'POST', '/v1/messages', {
      participantId,
      channel: 'web',
      content: `Add one, for the time ${number}.`,
      externalId: `${participantId}-${number}`,
    });
    if (!answer) return false;
    this.conversationIds.add(asConversationId(answer.body));
    return true;
  }

  private async messagesOf(conversationId: string): Promise<CountedMessage[]> {
    const messages: CountedMessage[] = [];
    for (let afterSeq = 0; ;) {
      const path = `/v1/conversations/${conversationId}/messages?afterSeq=${afterSeq}&limit=${PAGE_SIZE}`;
      const { data, nextCursor } = await this.anyApi().call('GET', path, asMessages);
      messages.push(...data);
      const last = data.at(-1);
      if (nextCursor === null || last === undefined) return messages;
      afterSeq = last.seq;
    }
  }
}

/**
 * Returns the problems of a conversation that must contain `expected` user messages in seq order, each with
 * one reply at any later position. Replies need not follow directly, since two processes may each store a
 * user message before either stores its reply.
 */
export function messageProblems(messages: readonly CountedMessage[], expected: number): string[] {
  const problems: string[] = [];
  if (messages.length !== 2 * expected)
    problems.push(`${messages.length} messages are stored instead of ${2 * expected}`);
  const gap = messages.findIndex(({ seq }, index) => seq !== index + 1);
  if (gap >= 0) problems.push(`message number ${gap + 1} has seq ${messages[gap]?.seq ?? 'none'}`);
  const unanswered = new Set<string>();
  for (const { seq, id, role, replyTo } of messages)
    if (role === 'user') unanswered.add(id);
    else if (replyTo === null || !unanswered.delete(replyTo))
      problems.push(`message number ${seq} is not the first reply to an earlier message`);
  if (unanswered.size > 0) problems.push(`${unanswered.size} messages have no reply`);
  const ids = messages.flatMap(({ externalId }) => externalId ?? []);
  if (new Set(ids).size !== expected)
    problems.push(`${new Set(ids).size} different externalIds are stored instead of ${expected}`);
  return problems;
}
