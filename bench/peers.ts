// npm run bench -- peers: compares this service with a bare Fastify server that returns the same bytes and
// stores nothing, and, with --against, with another build of the service. Each runs in a separate process.
// The load switches between them in short rounds, so that other work on the machine affects all of them.
// bench/README.md explains the tables.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Command, InvalidArgumentError } from 'commander';
import { wholeNumber } from '../test/support/options.js';
import { abortOnShutdownSignal } from '../src/bootstrap/index.js';
import { loadGenerator } from './peers/load.js';
import { MOST_FAILED, renderFailures, renderGoals, renderRows, renderTranscripts } from './peers/report.js';
import { type Row, runRounds } from './peers/rounds.js';
import { type PeerRoute, peerRoutes } from './peers/routes.js';
import {
  answerOf,
  bareTarget,
  prepareService,
  startBare,
  startService,
  type Target,
} from './peers/targets.js';
import { runTranscripts, type TranscriptRow, type TranscriptTarget } from './peers/transcripts.js';
import { machineLine } from './storage/machine.js';

interface Options {
  routes: readonly string[];
  connections: readonly number[];
  rounds: number;
  seconds: number;
  warmUp: number;
  participants: number;
  clients: number;
  rate: number;
  against?: string;
  node: string;
  set: Readonly<Record<string, string>>;
  profile?: string;
  json?: string;
}

/** The results of a run. */
interface Outcome {
  rows: Row[];
  transcripts: TranscriptRow[];
}

const TRANSCRIPTS = 'transcripts';
const routeNames = [...peerRoutes.map(({ name }) => name), TRANSCRIPTS];

const write = (text: string): void => void process.stdout.write(`${text}\n`);
const onProgress = (line: string): void => void process.stderr.write(`${line}\n`);

/** Functions to call at the end. */
type Closers = (() => Promise<unknown>)[];

async function closeAll(closers: Closers): Promise<void> {
  await Promise.allSettled(closers.map((close) => close()));
}

async function startServices(
  options: Options,
  closers: Closers,
  signal: AbortSignal,
): Promise<TranscriptTarget[]> {
  const { against, node, set, profile, routes } = options;
  const start = async (name: 'this' | 'against', build?: string): Promise<TranscriptTarget> => {
    signal.throwIfAborted();
    const service = await startService({
      name,
      build,
      execPath: node,
      settings: set,
      profileDir: profile === undefined ? undefined : resolve(profile),
      imports: routes.includes(TRANSCRIPTS) ? [join(import.meta.dirname, 'peers', 'server-times.js')] : [],
    });
    closers.push(() => service.close());
    return { name, service };
  };
  const services = [await start('this')];
  if (against !== undefined) services.push(await start('against', against));
  return services;
}

async function startTargets(
  services: readonly TranscriptTarget[],
  routes: readonly PeerRoute[],
  { participants, node }: Options,
  closers: Closers,
): Promise<Target[]> {
  const targets: Target[] = [];
  for (const { name, service } of services) {
    const target = await prepareService(name, service, participants);
    targets.push(target);
    const answers = [];
    for (const route of routes) answers.push(await answerOf(target, route));
    if (name !== 'this') continue;
    const bare = await startBare(answers, node);
    closers.push(() => bare.kill('SIGTERM'));
    targets.unshift(bareTarget(bare, target));
  }
  return targets;
}

async function measure(options: Options, signal: AbortSignal): Promise<Outcome> {
  const { rounds, seconds, warmUp: warmUpSeconds, connections, clients, rate: perSecond } = options;
  const closers: Closers = [];
  const outcome: Outcome = { rows: [], transcripts: [] };
  try {
    const services = await startServices(options, closers, signal);
    const routes = peerRoutes.filter(({ name }) => options.routes.includes(name));
    const common = { rounds, seconds, warmUpSeconds, signal, onProgress };
    if (routes.length > 0) {
      const targets = await startTargets(services, routes, options, closers);
      outcome.rows = await runRounds(await loadGenerator(), targets, routes, { ...common, connections });
    }
    if (options.routes.includes(TRANSCRIPTS))
      outcome.transcripts = await runTranscripts(services, { ...common, clients, perSecond });
    return outcome;
  } finally {
    await closeAll(closers);
  }
}

/** Prints the tables. Returns whether the share of failed requests is acceptable. */
function report({ rows, transcripts }: Outcome): boolean {
  if (rows.length > 0) write(`\n${renderRows(rows)}`);
  const goals = renderGoals(rows);
  if (goals !== '') write(`At 64 connections, requests per second relative to bare Fastify:\n\n${goals}`);
  if (transcripts.length > 0) write(`\nPOST /v1/transcripts:\n\n${renderTranscripts(transcripts)}`);
  const failures = renderFailures(rows);
  if (failures !== '') write(failures);
  return rows.every(({ failed, requests }) => requests > 0 && failed / requests <= MOST_FAILED);
}

async function nodeVersion(path: string): Promise<string> {
  const { stdout } = await promisify(execFile)(path, ['--version']);
  return stdout.trim();
}

async function bench(options: Options, signal: AbortSignal): Promise<boolean> {
  const version = await nodeVersion(options.node);
  const generator = (await loadGenerator()).name;
  const machine = await machineLine();
  const { rounds, seconds, participants, against, json } = options;
  write(
    `Targets run on Node ${version}, load by ${generator}; ${rounds} rounds of ${seconds} s, ${participants} participants`,
  );
  write(machine);
  const outcome = await measure(options, signal);
  write(`load average at the end ${(loadavg()[0] ?? NaN).toFixed(1)}`);
  if (json !== undefined)
    await writeFile(
      json,
      `${JSON.stringify({ node: version, generator, machine, against, options, ...outcome }, null, 2)}\n`,
    );
  return report(outcome);
}

function numbers(text: string): number[] {
  return text.split(',').map((part) => {
    const value = wholeNumber(part);
    if (value === 0) throw new InvalidArgumentError('The numbers must not be 0.');
    return value;
  });
}

function names(text: string): string[] {
  const list = text.split(',');
  const unknown = list.find((name) => !routeNames.includes(name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(
      `There is no route "${unknown}"; the routes are ${routeNames.join(', ')}.`,
    );
  return list;
}

function assignment(text: string, before: Readonly<Record<string, string>>): Record<string, string> {
  const [, name, value] = /^([A-Z_]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('It must be NAME=VALUE.');
  return { ...before, [name]: value };
}

/** Leaves a name that is looked up on the PATH unchanged. */
const pathOf = (text: string): string => (text.includes('/') ? resolve(text) : text);

/** The `dist` folder of a checkout. */
function buildIn(folder: string): string {
  const dist = resolve(folder, 'dist');
  if (!existsSync(join(dist, 'src', 'main.js')))
    throw new InvalidArgumentError(`There is no build in ${dist}: run npm run build there.`);
  return dist;
}

await new Command('npm run bench -- peers')
  .description(
    'Compares this service with a bare Fastify server that returns the same responses, and with another build of it.',
  )
  .option(
    '--routes <names>',
    `comma-separated routes: ${routeNames.join(', ')}`,
    names,
    routeNames.slice(0, -1),
  )
  .option('--connections <numbers>', 'comma-separated numbers of connections', numbers, [1, 16, 64, 256])
  .option('--rounds <n>', 'number of rounds for each target, route and number of connections', wholeNumber, 3)
  .option('--seconds <n>', 'duration of each round', wholeNumber, 5)
  .option('--warm-up <seconds>', 'unmeasured warm-up of each target on each route', wholeNumber, 5)
  .option(
    '--participants <n>',
    'number of participants, each with a session and a conversation of 20 messages',
    wholeNumber,
    64,
  )
  .option('--clients <n>', 'number of connections for the route "transcripts"', wholeNumber, 100)
  .option('--rate <n>', 'requests per second for the route "transcripts"', wholeNumber, 1000)
  .option('--against <dir>', 'another built checkout of this service (with dist)', buildIn)
  .option('--node <path>', 'the node binary for all targets', pathOf, process.execPath)
  .option('--set <NAME=VALUE>', 'a setting for the services; may be repeated', assignment, {})
  .option('--profile <dir>', 'write CPU profiles of the services to this directory (slows them down)')
  .option('--json <file>', 'write all figures of all rounds to this file')
  .action(async (options: Options) => {
    const signal = abortOnShutdownSignal();
    try {
      process.exitCode = (await bench(options, signal)) ? 0 : 1;
    } catch (error) {
      if (!signal.aborted) throw error;
      onProgress('interrupted');
      process.exitCode = 130;
    }
  })
  .parseAsync();
