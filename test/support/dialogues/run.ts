import { ApiClient, asTenantKey, concurrently, type Dialogue } from '../../../src/cli/index.js';
import { startServers } from '../bench-app.js';
import { type CountedApp, openCountedApp } from './counted-app.js';
import { MessageGroup } from './message-counts.js';

export interface DialoguesOptions {
  dialogues: readonly Dialogue[];
  clients: number;
  redis: boolean;
  /** Send an externalId with each message, which costs the look-up whether it is known. */
  externalIds: boolean;
  /** The built test/proofs/store/store-child.js. */
  storeChild: string;
  onMessage?: () => void;
}

export interface DialoguesResult {
  /** First message of a participant that nobody knows yet. */
  unknown: MessageGroup;
  /** First message to a fresh process of a participant whom the database knows. */
  cold: MessageGroup;
  /** All other messages, to the first process and to the second. */
  warm: [MessageGroup, MessageGroup];
  /** Commands that belong to no message. */
  outside: { reads: number; writes: number };
  ms: number;
}

/** What the user says in a dialogue. */
export const userTurns = ({ turns }: Dialogue): string[] =>
  turns.flatMap(({ role, content }) => (role === 'user' && content !== '' ? [content] : []));

interface Part {
  app: CountedApp;
  api: ApiClient;
  first: MessageGroup;
  others: MessageGroup;
  /** The user turns that are sent, from and to (exclusive), of how many there are. */
  range: (count: number) => [number, number];
}

async function playPart(options: DialoguesOptions, { app, api, first, others, range }: Part): Promise<void> {
  await concurrently(options.dialogues, options.clients, async (dialogue) => {
    const turns = userTurns(dialogue);
    const [from, to] = range(turns.length);
    for (let index = from; index < to; index++) {
      const participantId = `line-${dialogue.line}`;
      const message = { participantId, channel: 'web', content: turns[index] };
      const externalId = `${participantId}-${index}`;
      const counts = await app.send(api, { ...message, ...(options.externalIds && { externalId }) });
      (index === from ? first : others).add(counts);
      options.onMessage?.();
    }
  });
}

/**
 * Handles the user turns of dialogues through `POST /v1/messages`, the turns of one dialogue in order: the first half of each
 * dialogue by one application, the second half by another with an empty memory on the same database.
 */
export async function runDialogues(options: DialoguesOptions): Promise<DialoguesResult> {
  const servers = await startServers(options.storeChild, options.redis);
  const unknown = new MessageGroup('unknown');
  const cold = new MessageGroup('cold');
  const warm: [MessageGroup, MessageGroup] = [new MessageGroup('warm'), new MessageGroup('warm again')];
  const outside = { reads: 0, writes: 0 };
  let key: string | undefined;
  const play = async (groups: Pick<Part, 'first' | 'others' | 'range'>): Promise<void> => {
    const app = await openCountedApp(servers.env);
    try {
      const admin = new ApiClient(app.url, app.adminKey);
      const tenant = { id: 'dialogues', name: 'Dialogues' };
      key ??= await admin.call('POST', '/v1/tenants', asTenantKey, tenant);
      await playPart(options, { app, api: new ApiClient(app.url, key), ...groups });
      outside.reads += app.outside.reads;
      outside.writes += app.outside.writes;
    } finally {
      await app.close();
    }
  };
  const begun = performance.now();
  try {
    await play({ first: unknown, others: warm[0], range: (count) => [0, Math.ceil(count / 2)] });
    await play({ first: cold, others: warm[1], range: (count) => [Math.ceil(count / 2), count] });
  } finally {
    await servers.close();
  }
  return { unknown, cold, warm, outside, ms: performance.now() - begun };
}

/** One sentence for each promise about the database that was not kept. */
export function brokenPromises({ unknown, cold, warm }: DialoguesResult): string[] {
  const broken: string[] = [];
  for (const group of warm) {
    const reads = group.readsOf('sessions');
    if (reads > 0) broken.push(`${group.name}: ${reads} reads of sessions instead of none`);
  }
  for (const { name, mostTransactions } of [unknown, cold, ...warm])
    if (mostTransactions > 1) broken.push(`${name}: one message began ${mostTransactions} transactions`);
  return broken;
}
