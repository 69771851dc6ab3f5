import { ApiClient, asTenantKey, concurrently, type Dialogue } from '../../../src/cli/index.js';
import { startServers } from '../bench-app.js';
import { type CountedApp, openCountedApp } from './counted-app.js';
import { MessageGroup } from './message-counts.js';

export interface DialoguesOptions {
  dialogues: readonly Dialogue[];
  clients: number;
  redis: boolean;
  /** Send an externalId with each message, which adds the lookup of existing messages. */
  externalIds: boolean;
  /** Path of the built test/proofs/store/store-child.js. */
  storeChild: string;
  onMessage?: () => void;
}

export interface DialoguesResult {
  /** The first message of a new participant. */
  unknown: MessageGroup;
  /** The first message of an existing participant to a newly started process. */
  cold: MessageGroup;
  /** All other messages, to either process. */
  warm: [MessageGroup, MessageGroup];
  /** Database commands that belong to no message. */
  outside: { reads: number; writes: number };
  ms: number;
}

/** The contents of the user turns of a dialogue. */
export const userTurns = ({ turns }: Dialogue): string[] =>
  turns.flatMap(({ role, content }) => (role === 'user' && content !== '' ? [content] : []));

interface Part {
  app: CountedApp;
  api: ApiClient;
  first: MessageGroup;
  others: MessageGroup;
  /** Given the number of user turns, returns the range that is sent (end exclusive). */
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
 * Sends the user turns of dialogues to `POST /v1/messages`, in order within each dialogue. The first half of
 * each dialogue goes to one application, the second half to another application that uses the same database
 * and has nothing in memory.
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

/** One sentence for each broken promise about the number of database commands. */
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
