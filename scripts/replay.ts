// npm run replay -- FILE: sends dialogues to a running service through its REST API, reads everything back
// and compares it.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import { stackOf } from '../src/common/index.js';
import { settingsFromEnvironment, SettingsError } from '../src/config/index.js';
import {
  ApiClient,
  type Dialogue,
  DialogueFileError,
  NoKeyError,
  parseDialogues,
  Progress,
  renderReport,
  Replay,
  RequestFailure,
  succeeded,
  tenantKey,
} from '../src/cli/index.js';

interface Options {
  url?: string;
  key?: string;
  adminKey?: string;
  concurrency: number;
  limit?: number;
}

function atLeastOne(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('It must be a whole number of at least 1.');
  return value;
}

async function replay(file: string, options: Options): Promise<boolean> {
  const { service } = settingsFromEnvironment();
  const url = options.url ?? `http://127.0.0.1:${service.PORT}`;
  const dialogues = parseDialogues(await readFile(file, 'utf8')).slice(0, options.limit);
  const { key, createdTenant } = await tenantKey({
    url,
    dataDir: service.DATA_DIR,
    ...(options.key !== undefined && { key: options.key }),
    ...((options.adminKey ?? service.ADMIN_API_KEY) !== undefined && {
      adminKey: options.adminKey ?? service.ADMIN_API_KEY,
    }),
  });
  if (createdTenant !== undefined)
    process.stdout.write(`Created the tenant ${createdTenant} for this run.\n`);
  const result = await run(new ApiClient(url, key), dialogues, options.concurrency);
  process.stdout.write(renderReport(result, options.concurrency));
  return succeeded(result);
}

async function run(api: ApiClient, dialogues: readonly Dialogue[], concurrency: number) {
  const turns = dialogues.reduce((sum, dialogue) => sum + dialogue.turns.length, 0);
  const writing = new Progress('writing', turns, process.stderr);
  let reading: Progress | undefined;
  const result = await new Replay(api, {
    concurrency,
    run: `replay-${randomBytes(4).toString('hex')}`,
    onTurnWritten: () => {
      writing.advance();
    },
    onDialogueCompared: () => {
      if (!reading) writing.finish();
      reading ??= new Progress('reading', dialogues.length, process.stderr);
      reading.advance();
    },
  }).run(dialogues);
  (reading ?? writing).finish();
  return result;
}

function explain(error: unknown, file: string): string {
  if (error instanceof DialogueFileError)
    return `${file} cannot be replayed; nothing was sent.\n${error.problems.map((problem) => `  ${problem}`).join('\n')}`;
  if (error instanceof RequestFailure && error.status === 0)
    return `The service is not responding (${error.message}). Start it with npm start, or pass its address with --url.`;
  if (error instanceof RequestFailure || error instanceof NoKeyError || error instanceof SettingsError)
    return error.message;
  if (error instanceof Error && 'code' in error) return `${file} cannot be read: ${error.message}`;
  return stackOf(error);
}

await new Command('replay')
  .description('Sends dialogues to a running service, reads everything back and compares it.')
  .argument('<file>', 'dialogues, one JSON object per line')
  .option('--url <url>', 'address of the service (default: http://127.0.0.1:PORT)')
  .option('--key <key>', "a tenant's API key (default: the key of a new tenant)")
  .option(
    '--admin-key <key>',
    'admin key for creating the tenant (default: ADMIN_API_KEY, or the development key in DATA_DIR)',
  )
  .option('--concurrency <count>', 'number of dialogues in progress at the same time', atLeastOne, 1)
  .option('--limit <count>', 'only replay this many dialogues from the start of the file', atLeastOne)
  .action(async (file: string, options: Options) => {
    try {
      process.exitCode = (await replay(file, options)) ? 0 : 1;
    } catch (error) {
      process.stderr.write(`${explain(error, file)}\n`);
      process.exitCode = 1;
    }
  })
  .parseAsync();
