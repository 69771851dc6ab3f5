// npm run transcripts:import -- FILE: sends transcripts, one per line, to a running service through its REST
// API. It can be stopped at any time and started again: it continues where it stopped, and a transcript that
// is sent twice is stored once.
import { z } from 'zod';
import { Command, InvalidArgumentError, Option } from 'commander';
import { abortOnShutdownSignal } from '../src/bootstrap/index.js';
import { stackOf } from '../src/common/index.js';
import { settingsFromEnvironment, SettingsError } from '../src/config/index.js';
import {
  ApiClient,
  Checkpoint,
  type Format,
  formats,
  Importer,
  type ImportState,
  ImportStoppedError,
  newState,
  Progress,
  readLines,
  readState,
  RequestFailure,
  scanFile,
  TranscriptSender,
} from '../src/cli/index.js';

interface Options {
  url?: string;
  key?: string;
  format: Format;
  channel: string;
  labels?: boolean;
  concurrency: number;
  state?: string;
  rejected?: string;
  restart?: boolean;
  patience: number;
}

/** The arguments are not usable. The message says what to do. */
class UsageError extends Error {}

const SHOWN_REJECTIONS = 20;

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const number = (value: number): string => value.toLocaleString('en-US');
const asTenant = (body: unknown): { id: string } => z.object({ id: z.string() }).parse(body);

function atLeastOne(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('It must be a whole number of at least 1.');
  return value;
}

/**
 * Returns the stored progress if it belongs to this file and target. @throws UsageError if it belongs to
 * others
 */
function checkedState(stored: ImportState, fresh: ImportState, statePath: string): ImportState {
  const hint = `Pass --state with another file, or --restart to send all lines again.`;
  if (stored.url !== fresh.url || stored.tenantId !== fresh.tenantId)
    throw new UsageError(
      `${statePath} belongs to an import to tenant "${stored.tenantId}" at ${stored.url}. ${hint}`,
    );
  if (stored.reading !== fresh.reading)
    throw new UsageError(`${statePath} belongs to an import with other options (${stored.reading}). ${hint}`);
  return stored;
}

async function importFile(file: string, options: Options, signal: AbortSignal): Promise<boolean> {
  const { service } = settingsFromEnvironment();
  if (options.key === undefined)
    throw new UsageError("No key is available: pass --key with a tenant's key, or set COLLOQUY_API_KEY.");
  const api = new ApiClient(new URL(options.url ?? `http://127.0.0.1:${service.PORT}`).href, options.key);
  const { id: tenantId } = await api.call('GET', '/v1/tenant', asTenant);
  const { format, channel, labels = false } = options;
  const reading = format === 'dialogues' ? `${format} ${channel}${labels ? ' labels' : ''}` : format;
  const files = {
    state: options.state ?? `${file}.import.json`,
    rejected: options.rejected ?? `${file}.rejected.ndjson`,
  };
  const fresh = newState({ url: api.url, tenantId, reading });
  const stored = options.restart ? undefined : await readState(files.state);
  const state = stored ? checkedState(stored, fresh, files.state) : fresh;
  const scan = await scanFile(file, state.lines);
  if (scan.prefix?.fingerprint !== state.fingerprint)
    throw new UsageError(
      `The first ${number(state.lines)} lines of ${file} are not the lines that ${files.state} belongs to. Pass --state with another file, or --restart.`,
    );
  if (state.lines > 0) say(`${number(state.lines)} of ${number(scan.lines)} lines were done before.`);

  const checkpoint = await Checkpoint.open(files, state);
  const sender = new TranscriptSender(api, { patienceMs: options.patience * 1000 });
  const progress = new Progress('importing', scan.lines - state.lines, process.stderr);
  let shown = 0;
  const importer = new Importer(sender, checkpoint, {
    format,
    channel,
    labels,
    concurrency: options.concurrency,
    signal,
    onLine: () => {
      progress.advance();
    },
    onRejected: (line, reason) => {
      const prefix = process.stderr.isTTY ? '\r\u001b[K' : '';
      if (shown++ < SHOWN_REJECTIONS) process.stderr.write(`${prefix}line ${line}: ${reason}\n`);
    },
  });
  let isWhole: boolean;
  try {
    isWhole = await importer.run(readLines(file, { lines: state.lines, offset: scan.prefix.offset }));
  } finally {
    progress.finish();
    report(checkpoint.current, scan.lines, sender.retries, files);
  }
  return isWhole && checkpoint.current.rejected === 0;
}

function report(
  { lines, accepted, rejected }: ImportState,
  total: number,
  retries: number,
  files: { state: string; rejected: string },
): void {
  const empty = lines - accepted - rejected;
  say(
    `lines      ${number(lines)} of ${number(total)}${empty > 0 ? `, ${number(empty)} of them empty` : ''}`,
  );
  say(`accepted   ${number(accepted)}`);
  say(`rejected   ${number(rejected)}${rejected > 0 ? `, see ${files.rejected}` : ''}`);
  say(`retries    ${number(retries)}, requested by the service`);
  if (lines < total) say(`Not all lines are done. The same command continues after line ${number(lines)}.`);
}

function explain(error: unknown, file: string): string {
  if (error instanceof RequestFailure && error.status === 0)
    return `The service is not responding (${error.message}). Start it with npm start, or pass its address with --url.`;
  if (
    error instanceof RequestFailure ||
    error instanceof ImportStoppedError ||
    error instanceof UsageError ||
    error instanceof SettingsError
  )
    return error.message;
  if (error instanceof Error && 'code' in error && error.code === 'ERR_INVALID_URL')
    return '--url must be a URL, for example http://127.0.0.1:3000.';
  if (error instanceof Error && 'code' in error) return `${file} cannot be imported: ${error.message}`;
  return stackOf(error);
}

await new Command('transcripts-import')
  .description(
    'Sends a file of transcripts to a running service. It can be stopped and continues where it stopped.',
  )
  .argument('<file>', 'transcripts, one JSON object per line, as accepted by POST /v1/transcripts')
  .option('--url <url>', 'address of the service (default: http://127.0.0.1:PORT)')
  .addOption(new Option('--key <key>', "the tenant's API key").env('COLLOQUY_API_KEY'))
  .addOption(new Option('--format <format>', 'format of the lines').choices(formats).default('transcripts'))
  .option('--channel <channel>', 'channel for dialogues, which do not contain one', 'web')
  .option('--labels', 'dialogues: start each turn with its role')
  .option('--concurrency <count>', 'number of concurrent requests', atLeastOne, 16)
  .option('--state <file>', 'file that stores the progress of the import (default: FILE.import.json)')
  .option('--rejected <file>', 'file for lines that were not accepted (default: FILE.rejected.ndjson)')
  .option('--restart', 'start at the first line, ignoring the stored progress')
  .option('--patience <seconds>', 'stop when the service accepts nothing for this time', atLeastOne, 300)
  .action(async (file: string, options: Options) => {
    try {
      process.exitCode = (await importFile(file, options, abortOnShutdownSignal())) ? 0 : 1;
    } catch (error) {
      process.stderr.write(`${explain(error, file)}\n`);
      process.exitCode = 1;
    }
  })
  .parseAsync();
