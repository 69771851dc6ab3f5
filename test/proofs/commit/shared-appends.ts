import { BenchConnection, httpRequest } from '../../support/http-load.js';
import { percentilesOf } from '../../support/percentiles.js';
import { asAppended, type StoredMessage } from '../../../src/cli/index.js';
import { readConversation } from '../crash/check.js';
import type { CommitLab } from './commit-lab.js';

export interface SharedAppendsOptions {
  name: string;
  /** How many of the processes are used. */
  processes: number;
  clientsEach: number;
  conversations: number;
  seconds: number;
}

export interface SharedAppends {
  name: string;
  acked: number;
  perSecond: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  /** Counts of responses other than 201 by status; requests without a response count as `no response`. */
  refused: ReadonlyMap<string, number>;
  /** For each process, the number of transactions that it retried and the number that it committed. */
  conflicts: number[];
  commits: number[];
  problems: string[];
}

interface Append {
  conversationId: string;
  content: string;
  acked?: StoredMessage | undefined;
}

/**
 * Clients of several processes that append messages to the same conversations, each one message at a time.
 */
class AppendLoad {
  readonly appends: Append[] = [];
  readonly times: number[] = [];
  readonly refused = new Map<string, number>();

  constructor(
    private readonly lab: CommitLab,
    private readonly options: SharedAppendsOptions,
    private readonly conversations: readonly string[],
  ) {}

  async run(): Promise<number> {
    const { processes, clientsEach, seconds } = this.options;
    const urls = this.lab.services.slice(0, processes).map(({ url }) => url);
    const open = urls.flatMap((url) => Array.from({ length: clientsEach }, () => BenchConnection.open(url)));
    const connections = await Promise.all(open);
    const begun = performance.now();
    const until = begun + seconds * 1000;
    try {
      await Promise.all(connections.map((connection, index) => this.client(connection, index, until)));
    } finally {
      for (const connection of connections) connection.close();
    }
    return (performance.now() - begun) / 1000;
  }

  private async client(connection: BenchConnection, index: number, until: number): Promise<void> {
    const conversationId = this.conversations[index % this.conversations.length] ?? '';
    const path = `/v1/conversations/${conversationId}/messages`;
    for (let count = 1; performance.now() < until; count++) {
      const append: Append = { conversationId, content: `${this.options.name}: client ${index}, ${count}` };
      this.appends.push(append);
      const messages = [{ role: 'user', content: append.content }];
      const begun = performance.now();
      const { status, body } = await connection
        .send(httpRequest('POST', path, this.lab.key, { messages }))
        .catch(() => ({ status: 0, body: '' }));
      this.times.push(performance.now() - begun);
      if (status === 201) [append.acked] = asAppended(JSON.parse(body));
      else this.refuse(status === 0 ? 'no response' : String(status));
      if (status === 0) return;
    }
  }

  private refuse(status: string): void {
    this.refused.set(status, (this.refused.get(status) ?? 0) + 1);
  }
}

/**
 * Checks that each conversation contains every acknowledged message exactly once with the acknowledged seq,
 * and that seq is 1, 2, 3 …
 */
async function checkAppends(
  lab: CommitLab,
  ids: readonly string[],
  appends: readonly Append[],
): Promise<string[]> {
  const problems: string[] = [];
  for (const id of ids) {
    const { conversation, messages } = await readConversation(lab.api, id);
    if (conversation.messageCount !== messages.length)
      problems.push(
        `${id} has messageCount ${conversation.messageCount} but contains ${messages.length} messages`,
      );
    const wrong = messages.findIndex(({ seq }, index) => seq !== index + 1);
    if (wrong >= 0) problems.push(`${id} has seq ${messages[wrong]?.seq ?? 'none'} at position ${wrong + 1}`);
    const byContent = new Map<string, StoredMessage[]>();
    for (const message of messages)
      byContent.set(message.content, [...(byContent.get(message.content) ?? []), message]);
    for (const { content, acked } of appends.filter(({ conversationId }) => conversationId === id)) {
      const stored = byContent.get(content) ?? [];
      if (stored.length > 1) problems.push(`${content} is stored ${stored.length} times`);
      if (acked && !stored.some((one) => one.id === acked.id && one.seq === acked.seq))
        problems.push(`${content} was acknowledged with seq ${acked.seq}, but is not stored with it`);
    }
  }
  return problems;
}

/** Appends to the same conversations through the first processes of the lab, and checks what is stored. */
export async function runSharedAppends(
  lab: CommitLab,
  options: SharedAppendsOptions,
): Promise<SharedAppends> {
  const { name, conversations, processes } = options;
  const ids = await lab.conversations(conversations, name.replaceAll(' ', '-'));
  const load = new AppendLoad(lab, options, ids);
  const counted = async (): Promise<[conflicts: number[], commits: number[]]> => [
    await lab.counters('conflicts_total'),
    await lab.counters('units_count'),
  ];
  const before = await counted();
  const seconds = await load.run();
  const after = await counted();
  const since = (which: 0 | 1): number[] =>
    after[which].slice(0, processes).map((value, index) => value - (before[which][index] ?? 0));
  const acked = load.appends.filter((append) => append.acked).length;
  const { p50, p99 } = percentilesOf(load.times);
  return {
    name,
    acked,
    perSecond: acked / seconds,
    p50,
    p99,
    refused: load.refused,
    conflicts: since(0),
    commits: since(1),
    problems: await checkAppends(lab, ids, load.appends),
  };
}

export const isFaultless = ({ acked, refused, problems }: SharedAppends): boolean =>
  acked > 0 && refused.size === 0 && problems.length === 0;
