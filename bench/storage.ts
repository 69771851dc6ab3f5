// npm run bench -- storage: five tests of accepting, embedding, storing and finding transcripts, compared
// with the naive approach (embedding and inserting inside the request) in the same process on the same store.
// This process only generates the load; the service and its store run in a separate process. Figures depend
// on the machine and its load: compare only within one run.
import { Command, InvalidArgumentError } from 'commander';
import { wholeNumber } from '../test/support/options.js';
import { machineLine } from './storage/machine.js';
import { renderFigures, verdictOf } from './storage/report.js';
import { runTests } from './storage/tests.js';
import { loadTexts } from './storage/texts.js';

interface Options {
  data: string;
  tests: ReadonlySet<number>;
  tenants: number;
  count?: number;
  rate: number;
  seconds?: number;
  short?: boolean;
  profile?: string;
}

const ALL = new Set([1, 2, 3, 4, 5]);

function testNumbers(text: string): ReadonlySet<number> {
  const numbers = new Set(text.split(',').map(Number));
  if (![...numbers].every((number) => ALL.has(number)))
    throw new InvalidArgumentError('It must be a comma-separated list of numbers from 1 to 5.');
  return numbers;
}

function positive(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError('It must be at least 1.');
  return value;
}

async function bench({ data, tests, tenants, rate, short = false, ...given }: Options): Promise<void> {
  const texts = await loadTexts(data);
  const count = given.count ?? (short ? 2000 : 10_000);
  const seconds = given.seconds ?? (short ? 10 : 60);
  const write = (line: string): void => void process.stdout.write(`${line}\n`);
  write(await machineLine());
  write(texts.description);
  write(
    `${count.toLocaleString('en-US')} transcripts of ${tenants} tenant${tenants === 1 ? '' : 's'}; settings are the defaults except ` +
      `TRANSCRIPT_MAX_QUEUE_SIZE=1000000, TRANSCRIPT_BATCH_TIMEOUT_MS=1000 and those named in a line\n`,
  );
  const rows = await runTests(tests, {
    texts,
    tenants,
    count: Math.ceil(count / 100) * 100,
    rate,
    seconds,
    perSize: short ? 500 : 2000,
    viaOllama: short ? 500 : 3000,
    queries: short ? 500 : 2000,
    profileDir: given.profile,
    say: (what) => void process.stderr.write(`${what}\n`),
    onFigures: (some) => void process.stderr.write(`\n${renderFigures(some)}\n`),
  });
  write(renderFigures(rows));
  const verdicts = rows.map(verdictOf);
  const of = (verdict: string): number => verdicts.filter((one) => one === verdict).length;
  write(`${of('pass')} passed, ${of('fail')} failed`);
}

await new Command('npm run bench -- storage')
  .description(
    'Measures accepting, embedding, storing and finding transcripts, compared with embedding and inserting in the request.',
  )
  .option(
    '--data <path>',
    'dialogues, one JSON object per line; synthetic ones are used when the file does not exist',
    '../shared/data/dialogues.ndjson',
  )
  .option('--tests <numbers>', 'comma-separated tests, for example 1,4', testNumbers, ALL)
  .option('--tenants <n>', 'number of tenants', positive, 1)
  .option(
    '--count <n>',
    'transcripts in the test with 100 clients, rounded up to hundreds (default: 10000)',
    positive,
  )
  .option('--rate <n>', 'transcripts per second of the paced load', positive, 1000)
  .option(
    '--seconds <n>',
    'duration of the third test, which sends 1,000 transcripts (default: 60)',
    positive,
  )
  .option('--short', 'run a fifth of everything, and 10 seconds for the third test')
  .option('--profile <dir>', 'write a CPU profile of the service for each run to this directory')
  .action((options: Options) => bench(options))
  .parseAsync();
