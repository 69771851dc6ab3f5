// npm run verify -- commit --rounds 20 --seconds 5: kills the service between the commit of a transaction and
// the responses to its requests, appends to the same conversations through two processes, and sends 64
// concurrent requests of which two must be rejected.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterCommit, manyClients } from './commit/after-commit.js';
import { CommitLab } from './commit/commit-lab.js';
import { runMixedRequests } from './commit/mixed-requests.js';
import { isFaultless, runSharedAppends, type SharedAppends } from './commit/shared-appends.js';
import { type CrashRound, isClean, problemsOf, runCrashRounds } from './crash/rounds.js';
import { wholeNumber } from '../support/options.js';

const dist = join(import.meta.dirname, '..', '..');
const main = join(dist, 'src', 'main.js');

const print = (line: string): boolean => process.stdout.write(`${line}\n`);

const CLIENTS = 64;

const heads = [
  'round',
  'killed after',
  'acked',
  'found',
  'stored unanswered',
  'lost',
  'duplicated',
  'torn',
  'repeated',
];

const renderRow = (cells: readonly (string | number)[]): string =>
  cells.map((cell, column) => String(cell).padStart(Math.max(heads[column]?.length ?? 0, 6))).join('  ');

const renderRound = (round: CrashRound): string =>
  renderRow([
    round.round,
    round.killedAfter,
    round.acked,
    round.found,
    round.unanswered,
    problemsOf(round, 'lost'),
    problemsOf(round, 'duplicated'),
    problemsOf(round, 'torn'),
    round.retried,
  ]);

async function verifyKills(rounds: number, seed: number): Promise<boolean> {
  const cwd = await mkdtemp(join(tmpdir(), 'colloquy-commit-'));
  print(`kill -9 after a commit and before its responses, 64 clients that store messages, seed ${seed}`);
  print(renderRow(heads));
  try {
    const results = await runCrashRounds({
      rounds,
      seed,
      main,
      cwd,
      dataDir: join(cwd, 'data'),
      moment: afterCommit(dist),
      shape: manyClients,
      onRound: (round) => print(renderRound(round)),
    });
    for (const { round, problems, refused, unanswered } of results) {
      for (const { kind, text } of problems) print(`round ${round}, ${kind}: ${text}`);
      for (const [code, count] of refused) print(`round ${round}: ${count} x ${code}`);
      if (unanswered === 0)
        print(`round ${round}: no message was stored without a response, so this round proves nothing`);
    }
    const sum = (of: (round: CrashRound) => number): number =>
      results.reduce((total, round) => total + of(round), 0);
    const clean = results.every((round) => isClean(round) && round.unanswered > 0);
    print(
      `${rounds} kills, ${sum(({ acked }) => acked)} acknowledged messages, ${sum(({ unanswered }) => unanswered)} that were ` +
        `stored without a response: ${clean ? 'each is stored once' : 'FAILED, see the problems above'}.`,
    );
    return clean;
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

function renderAppends(result: SharedAppends): string {
  const refused = [...result.refused].map(([status, count]) => `${count} x ${status}`).join(', ');
  const lines = [
    `${result.name}: ${Math.round(result.perSecond)}/s, p50 ${result.p50.toFixed(1)} ms, p99 ${result.p99.toFixed(1)} ms, ` +
      `${result.acked} appended: ${isFaultless(result) ? 'each is stored once, without gaps' : 'FAILED'}`,
    `other responses: ${refused || 'none'}; transactions ${result.commits.join(' + ')}, retried ${result.conflicts.join(' + ')}`,
    ...result.problems,
  ];
  return lines.join('\n  ');
}

async function verifyLive(seconds: number): Promise<boolean> {
  print(`${CLIENTS} clients append to 8 conversations, through one process and through two`);
  const lab = await CommitLab.start(main);
  try {
    const appends = async (name: string, processes: number): Promise<boolean> => {
      const result = await runSharedAppends(lab, {
        name,
        processes,
        clientsEach: CLIENTS / processes,
        conversations: 8,
        seconds,
      });
      print(renderAppends(result));
      return isFaultless(result);
    };
    const one = await appends('one process', 1);
    await lab.addProcess();
    const two = await appends('two processes', 2);
    const mixed = await runMixedRequests(lab);
    print(
      `64 requests of which two are rejected: ${mixed.length === 0 ? 'the other 62 are stored' : 'FAILED'}`,
    );
    for (const problem of mixed) print(`  ${problem}`);
    return one && two && mixed.length === 0;
  } finally {
    await lab.remove();
  }
}

interface Options {
  rounds: number;
  seconds: number;
  seed?: number;
}

await new Command('npm run verify -- commit')
  .description(
    'Checks the promises of group commit: across kills, with two processes, and when single requests are rejected.',
  )
  .option('--rounds <count>', 'number of kills', wholeNumber, 20)
  .option('--seconds <count>', 'duration of each run, with one process and with two', wholeNumber, 5)
  .option('--seed <number>', 'seed for the moments of the kills (default: random)', wholeNumber)
  .action(async ({ rounds, seconds, seed = Math.floor(Math.random() * 2 ** 32) }: Options) => {
    const killed = rounds === 0 || (await verifyKills(rounds, seed));
    const live = seconds === 0 || (await verifyLive(seconds));
    process.exitCode = killed && live ? 0 : 1;
  })
  .parseAsync();
