import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { wholeNumber } from './options.js';

/** What a run of a proof is told. */
export interface RunOptions<Round> {
  rounds: number;
  /** Seed for the moments of the kills. */
  seed: number;
  /** An empty directory, deleted after the run. */
  cwd: string;
  onRound: (round: Round) => void;
}

export interface Verdict {
  isClean: boolean;
  /** Printed last. */
  summary: string;
}

/** A proof that kills processes at random moments, as the command `npm run verify -- NAME`. */
export interface KillProof<Round> {
  name: string;
  description: string;
  /** Number of rounds unless --rounds is given. */
  rounds: number;
  /** Heads of the columns in which each round is printed. */
  heads: readonly string[];
  cellsOf: (round: Round) => readonly (string | number)[];
  run: (options: RunOptions<Round>) => Promise<Verdict>;
}

const randomSeed = (): number => Math.floor(Math.random() * 2 ** 32);

const say = (line: string): void => void process.stdout.write(`${line}\n`);

interface RoundWithProblems {
  round: number;
  problems: readonly (string | { kind: string; text: string })[];
  /** How often each kind of error was returned to a client. */
  refused?: ReadonlyMap<string | number, number>;
}

/** Prints problems, each with the number of its round. */
export function sayProblems(rounds: readonly RoundWithProblems[]): void {
  for (const { round, problems, refused = new Map<string, number>() } of rounds) {
    for (const problem of problems)
      say(`round ${round}: ${typeof problem === 'string' ? problem : `${problem.kind}: ${problem.text}`}`);
    for (const [name, count] of refused) say(`round ${round}: ${count} x ${name}`);
  }
}

/** Runs the proof with the arguments of the process. The exit code is 1 if something was found. */
export async function killProofCommand<Round>(proof: KillProof<Round>): Promise<void> {
  const { name, description, heads, cellsOf, run } = proof;
  const render = (cells: readonly (string | number)[]): string =>
    cells.map((cell, column) => String(cell).padStart(Math.max(heads[column]?.length ?? 0, 7))).join('  ');
  await new Command(`npm run verify -- ${name}`)
    .description(description)
    .option('--rounds <count>', 'number of rounds', wholeNumber, proof.rounds)
    .option('--seed <number>', 'seed for the moments of the kills (default: random)', wholeNumber)
    .action(async ({ rounds, seed = randomSeed() }: { rounds: number; seed?: number }) => {
      const cwd = await mkdtemp(join(tmpdir(), `colloquy-${name}-`));
      say(`seed ${seed}\n${render(heads)}`);
      try {
        const onRound = (round: Round): void => {
          say(render(cellsOf(round)));
        };
        const { isClean, summary } = await run({ rounds, seed, cwd, onRound });
        say(isClean ? summary : `FAILED. ${summary}`);
        process.exitCode = isClean ? 0 : 1;
      } finally {
        await rm(cwd, { recursive: true, force: true });
      }
    })
    .parseAsync();
}
