// npm run verify -- search DIALOGUES: imports real dialogues into a service, checks whether the opening of
// each dialogue finds that dialogue, and measures searches over these and over many synthetic transcripts.
import 'reflect-metadata';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { type Embedder, EMBEDDER, VectorIndex } from '../../src/search/index.js';
import { TranscriptService, TranscriptStore } from '../../src/transcript/index.js';
import {
  type Dialogue,
  dialogueText,
  parseDialogues,
  Progress,
  renderTable,
  Samples,
} from '../../src/cli/index.js';
import { wholeNumber } from '../support/options.js';
import { openingOf, ranksOf, type Recall, recallOf } from './search/recall.js';
import { type LabTenant, SearchLab } from './search/search-lab.js';
import { insertSynthetic } from './search/synthetic.js';

const main = join(import.meta.dirname, '..', '..', 'src', 'main.js');
const LIMIT = 5;

interface Options {
  synthetic: number;
  queries: number;
  minRate: number;
}

const hits = z.object({
  data: z.array(z.object({ metadata: z.object({ dialogueId: z.string().optional() }) })),
});

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
const ms = (value: number | undefined): string => (value ?? Number.NaN).toFixed(2);

function rate(text: string): number {
  const value = Number(text);
  if (!(value >= 0 && value <= 1)) throw new InvalidArgumentError('It must be a number from 0 to 1.');
  return value;
}

/** The ids of the dialogues that a search over HTTP returns. */
async function searchHttp({ api }: LabTenant, query: string): Promise<string[]> {
  const body = { query, limit: LIMIT };
  const { data } = await api.call('POST', '/v1/transcripts/search', (answer) => hits.parse(answer), body);
  return data.map(({ metadata }) => metadata.dialogueId ?? '');
}

interface Times {
  /** Duration in ms of the first search, which loads the tenant's vectors into memory. */
  firstMs: number;
  samples: Samples;
}

/** Runs the searches one at a time. */
async function timed(
  queries: readonly string[],
  search: (query: string) => Promise<unknown>,
): Promise<Times> {
  const began = performance.now();
  await search('the first one');
  const firstMs = performance.now() - began;
  const samples = new Samples();
  for (const query of queries) {
    const begun = performance.now();
    await search(query);
    samples.add(performance.now() - begun);
  }
  return { firstMs, samples };
}

/** Two lines of the table: searches over HTTP and by a call within the process. */
async function measure(
  lab: SearchLab,
  tenant: LabTenant,
  count: number,
  queries: readonly string[],
): Promise<string[][]> {
  const service = lab.inside.get(TranscriptService);
  const index = lab.inside.get(VectorIndex);
  const bytesBefore = index.stats().bytes;
  const cases: [string, (query: string) => Promise<unknown>][] = [
    ['HTTP', (query) => searchHttp(tenant, query)],
    ['inside', (query) => service.search(tenant.id, { query, limit: LIMIT })],
  ];
  const lines: string[][] = [];
  for (const [name, search] of cases) {
    const { firstMs, samples } = await timed(queries, search);
    const bytes = index.stats().bytes - bytesBefore;
    const memory = name === 'inside' ? (bytes / 2 ** 20).toFixed(1) : '';
    const figures = samples.percentiles(0.5, 0.95, 0.99).map(ms);
    lines.push([`${count.toLocaleString('en-US')}, ${name}`, ...figures, ms(firstMs), memory]);
  }
  return lines;
}

interface Imported {
  tenant: LabTenant;
  ranks: (number | undefined)[];
}

async function recall(
  lab: SearchLab,
  file: string,
  dialogues: readonly Dialogue[],
  labels: boolean,
): Promise<Imported> {
  const tenant = await lab.tenant(labels ? 'with-roles' : 'texts-alone');
  const importing = new Progress('importing', dialogues.length, process.stderr);
  const begun = performance.now();
  const accepted = await lab.importDialogues(tenant, file, labels, () => {
    importing.advance();
  });
  importing.finish();
  await lab.stored(tenant, accepted);
  const seconds = (performance.now() - begun) / 1000;
  say(`${tenant.id}: ${accepted} imported and stored in ${seconds.toFixed(1)} s`);
  const searching = new Progress('searching', dialogues.length, process.stderr);
  const ranks = await ranksOf(
    dialogues,
    (query) => searchHttp(tenant, query),
    () => {
      searching.advance();
    },
  );
  searching.finish();
  return { tenant, ranks };
}

const recallLine = (name: string, { queries, first, found }: Recall): string[] => [
  name,
  String(queries),
  percent(first),
  percent(found),
];

async function synthetic(
  lab: SearchLab,
  count: number,
  dialogues: readonly Dialogue[],
  queries: readonly string[],
): Promise<string[][]> {
  const tenant = await lab.tenant('synthetic');
  const { model, dimensions = 256 } = lab.inside.get<Embedder>(EMBEDDER);
  const progress = new Progress('inserting', count, process.stderr);
  const begun = performance.now();
  await insertSynthetic(lab.inside.get(TranscriptStore), tenant.id, {
    count,
    model,
    dimensions,
    texts: dialogues.map((dialogue) => dialogueText(dialogue, false)),
    onRows: (rows) => {
      progress.advance(rows);
    },
  });
  progress.finish();
  say(`synthetic: ${count} rows stored in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  return measure(lab, tenant, count, queries);
}

async function verify(file: string, { synthetic: count, queries, minRate }: Options): Promise<boolean> {
  const dialogues = parseDialogues(await readFile(file, 'utf8'));
  const openings = dialogues.slice(0, queries).map(openingOf);
  const lab = await SearchLab.open(main);
  try {
    const recalls: string[][] = [];
    const times: string[][] = [];
    let checked: Recall | undefined;
    for (const labels of [false, true]) {
      const { tenant, ranks } = await recall(lab, file, dialogues, labels);
      const everyFifth = recallOf(ranks.filter((_, index) => index % 5 === 0));
      checked ??= everyFifth;
      recalls.push(recallLine(`${tenant.id}, every fifth`, everyFifth));
      recalls.push(recallLine(`${tenant.id}, the first 200`, recallOf(ranks.slice(0, 200))));
      recalls.push(recallLine(`${tenant.id}, all`, recallOf(ranks)));
      if (!labels) times.push(...(await measure(lab, tenant, dialogues.length, openings)));
    }
    if (count > 0) times.push(...(await synthetic(lab, count, dialogues, openings)));
    const { model } = lab.inside.get<Embedder>(EMBEDDER);
    say(
      `\nRecall: queries made of the first two user turns that find their own dialogue (${model}, ${dialogues.length} dialogues):\n`,
    );
    const heads = ['transcripts', 'queries', 'first', `in the first ${LIMIT}`];
    say(renderTable([heads, ...recalls], new Set([1, 2, 3])));
    say('Searches, one at a time; the first one loads the vectors into memory:\n');
    const timeHeads = ['transcripts', 'p50 ms', 'p95 ms', 'p99 ms', 'first ms', 'index MiB'];
    say(renderTable([timeHeads, ...times], new Set([1, 2, 3, 4, 5])));
    const found = checked?.found ?? 0;
    const isGood = found >= minRate;
    say(
      `${percent(found)} of every fifth dialogue found, ${percent(minRate)} required: ${isGood ? 'ok' : 'FAILED'}`,
    );
    return isGood;
  } finally {
    await lab.close();
  }
}

await new Command('npm run verify -- search')
  .description(
    'Measures the recall of searches for real dialogues by their openings, and the search latency.',
  )
  .argument('[file]', 'dialogues, one JSON object per line', join('..', 'shared', 'data', 'dialogues.ndjson'))
  .option(
    '--synthetic <count>',
    'number of transcripts of the large tenant; 0 for none',
    wholeNumber,
    100_000,
  )
  .option('--queries <count>', 'number of measured searches', wholeNumber, 500)
  .option('--min-rate <share>', 'required share of every fifth dialogue that is found, 0 to 1', rate, 0.9)
  .action(async (file: string, options: Options) => {
    process.exitCode = (await verify(resolve(file), options)) ? 0 : 1;
  })
  .parseAsync();
