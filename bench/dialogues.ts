// npm run bench -- dialogues FILE: sends the user turns of recorded dialogues through POST /v1/messages and
// counts, from the driver's command events, what each message reads and writes. The application runs in this
// process and is called over HTTP; the embedded store runs in a separate process.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { parseDialogues, Progress } from '../src/cli/index.js';
import { wholeNumber } from '../test/support/options.js';
import { brokenPromises, runDialogues, userTurns } from '../test/support/dialogues/run.js';
import type { MessageGroup } from '../test/support/dialogues/message-counts.js';
import { figure, renderTable } from '@colloquy/embedded-mongo/bench';

const storeChild = join(import.meta.dirname, '..', 'test', 'proofs', 'store', 'store-child.js');

const heads = [
  'per message',
  'messages',
  'reads',
  'writes',
  'commits',
  'sessions',
  'conversations',
  'messages',
  'keys, tenants',
  'responders',
  'max transactions',
];

const each = (group: MessageGroup, total: number): string => (total === 0 ? '0' : figure(group.each(total)));

const rowOf = (name: string, group: MessageGroup): string[] => [
  name,
  group.messages.toLocaleString('en-US'),
  ...[group.reads, group.writes, group.commits].map((total) => each(group, total)),
  ...[['sessions'], ['conversations'], ['messages'], ['api_keys', 'tenants'], ['responders']].map(
    (collections) => each(group, group.readsOf(...collections)),
  ),
  String(group.mostTransactions),
];

interface Options {
  limit?: number;
  clients: number;
  redis?: boolean;
  externalIds?: boolean;
}

async function bench(file: string, options: Options): Promise<boolean> {
  const { clients, redis = false, externalIds = false } = options;
  const dialogues = parseDialogues(await readFile(file, 'utf8')).slice(0, options.limit);
  const messages = dialogues.reduce((sum, dialogue) => sum + userTurns(dialogue).length, 0);
  const progress = new Progress('messages', messages, process.stderr);
  const result = await runDialogues({
    dialogues,
    clients,
    redis,
    externalIds,
    storeChild,
    onMessage: () => {
      progress.advance();
    },
  });
  progress.finish();
  const rows = [
    rowOf('unknown participant', result.unknown),
    rowOf('warm', result.warm[0]),
    rowOf('cold: new process', result.cold),
    rowOf('warm, second process', result.warm[1]),
  ];
  const broken = brokenPromises(result);
  process.stdout.write(
    `${dialogues.length} dialogues, ${messages} messages at ${clients} clients in ${(result.ms / 1000).toFixed(1)} s, ` +
      `${redis ? 'with' : 'without'} Redis, ${externalIds ? 'with' : 'without'} externalIds\n` +
      `the columns from "sessions" to "responders" are reads of these collections\n\n${renderTable(heads, rows)}\n` +
      `outside messages: ${result.outside.reads} reads, ${result.outside.writes} writes\n` +
      `${broken.join('\n') || 'Warm messages read no session, and no message uses more than one transaction.'}\n`,
  );
  return broken.length === 0;
}

await new Command('npm run bench -- dialogues')
  .description('Counts what each message of recorded dialogues reads from the database and writes to it.')
  .argument('<file>', 'dialogues, one JSON object per line')
  .option('--limit <count>', 'only use this many dialogues from the start of the file', wholeNumber)
  .option('--clients <count>', 'number of dialogues in progress at the same time', wholeNumber, 16)
  .option('--redis', 'use Redis as the second tier')
  .option('--external-ids', 'send an externalId with each message')
  .action(async (file: string, options: Options) => {
    process.exitCode = (await bench(file, options)) ? 0 : 1;
  })
  .parseAsync();
