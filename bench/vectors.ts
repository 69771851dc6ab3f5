// npm run bench -- vectors: builds and searches the matrix of one tenant, compared with arrays of numbers
// that are scored and sorted. Vectors are random, with 256 dimensions. Figures depend on the machine and its
// load: compare only within one run.
import { cpus } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Command } from 'commander';
import { wholeNumber } from '../test/support/options.js';
import {
  VectorIndex,
  type VectorChanges,
  type VectorHit,
  type VectorRow,
  type VectorSource,
} from '../src/search/index.js';
import { figure, measure, renderTable } from '@colloquy/embedded-mongo/bench';

const DIMENSION = 256;
const BATCH = 1_000;
const MODEL = 'bench';
const TENANT = 'acme';
const LIMIT = 10;
const channels = ['whatsapp', 'telegram', 'web', 'sms', 'email'];

/** A generator of random numbers from -1 to 1 that are the same in each run (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

function randomVector(random: () => number): Float32Array {
  const vector = Float32Array.from({ length: DIMENSION }, random);
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

/** Creates rows while they are read, like a database, so that only the reader keeps them in memory. */
class RandomSource implements VectorSource {
  /** Time spent creating rows, in milliseconds, which is not part of a build. */
  madeMs = 0;

  constructor(private readonly count: number) {}

  async head(): Promise<number> {
    return 0;
  }

  async *vectors(): AsyncGenerator<readonly VectorRow[]> {
    const random = randomNumbers(1);
    for (let from = 0; from < this.count; from += BATCH) {
      const started = performance.now();
      const rows = Array.from({ length: Math.min(BATCH, this.count - from) }, (_, at) => ({
        id: Buffer.from((from + at).toString().padStart(12, '0')).toString('hex'),
        vector: randomVector(random),
        channel: channels[(from + at) % channels.length] ?? '',
        participantId: `participant-${(from + at) % (this.count / 10)}`,
        at: from + at,
      }));
      this.madeMs += performance.now() - started;
      yield rows;
    }
  }

  async changes(_tenant: string, _model: string, cursor: number): Promise<VectorChanges> {
    return { rows: [], deletedIds: [], cursor, hasMore: false };
  }
}

interface Naive {
  id: string;
  channel: string;
  vector: number[];
}

function naiveSearch(rows: readonly Naive[], query: readonly number[], channel?: string): VectorHit[] {
  return rows
    .filter((row) => channel === undefined || row.channel === channel)
    .map(({ id, vector }) => ({
      id,
      score: vector.reduce((sum, value, at) => sum + value * (query[at] ?? 0), 0),
    }))
    .sort((a, b) => b.score - a.score)
    .slice(0, LIMIT);
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Returns the bytes that the process uses after a full garbage collection. */
function heldBytes(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const mib = (bytes: number): string => figure(bytes / 2 ** 20);

interface Contestant {
  name: string;
  search: (query: Float32Array, channel?: string) => Promise<VectorHit[]> | VectorHit[];
  buildMs: number;
  heldBytes: number;
  reportedBytes?: number;
}

async function ours(count: number): Promise<Contestant> {
  const before = heldBytes();
  const source = new RandomSource(count);
  const index = new VectorIndex(source, { maxBytes: 2 ** 30 });
  const search: Contestant['search'] = (query, channel) =>
    index.search(TENANT, MODEL, query, { limit: LIMIT, channel });
  await search(new Float32Array(DIMENSION));
  const { buildMs, bytes } = index.stats();
  return {
    name: 'Colloquy',
    search,
    buildMs: buildMs - source.madeMs,
    heldBytes: heldBytes() - before,
    reportedBytes: bytes,
  };
}

async function naive(count: number): Promise<Contestant> {
  const before = heldBytes();
  const started = performance.now();
  const rows: Naive[] = [];
  const source = new RandomSource(count);
  for await (const batch of source.vectors())
    for (const { id, channel, vector } of batch) rows.push({ id, channel, vector: [...vector] });
  const buildMs = performance.now() - started - source.madeMs;
  const search: Contestant['search'] = (query, channel) => naiveSearch(rows, [...query], channel);
  return { name: 'number[][]', search, buildMs, heldBytes: heldBytes() - before };
}

async function compare(count: number, measureMs: number): Promise<string[][]> {
  const random = randomNumbers(2);
  const queries = Array.from({ length: 64 }, () => randomVector(random));
  const lines: string[][] = [];
  const answers: string[] = [];
  for (const make of [ours, naive]) {
    const contestant = await make(count);
    const { name, search } = contestant;
    const first = await search(queries[0] ?? new Float32Array(DIMENSION), 'web');
    answers.push(first.map(({ id }) => id).join());
    for (const channel of [undefined, 'web']) {
      let turn = 0;
      const work = async (): Promise<VectorHit[]> =>
        search(queries[turn++ % queries.length] ?? new Float32Array(DIMENSION), channel);
      const { p50, p95, max } = await measure(work, {
        clients: 1,
        unitsPerCall: 1,
        warmUpMs: measureMs / 4,
        measureMs,
      });
      lines.push([
        `${count.toLocaleString('en-US')} ${channel === undefined ? 'all' : 'one channel of 5'}: ${name}`,
        ...[p50, p95, max, contestant.buildMs].map(figure),
        mib(contestant.heldBytes),
        contestant.reportedBytes === undefined ? '' : mib(contestant.reportedBytes),
      ]);
    }
  }
  if (answers[0] !== answers[1]) throw new Error('The two return different best rows.');
  return lines;
}

const options = new Command('npm run bench -- vectors')
  .description('Measures the exact vector search in memory.')
  .option('--milliseconds <number>', 'duration of each measurement', wholeNumber, 3_000)
  .option('--largest <number>', 'number of vectors in the larger case', wholeNumber, 100_000)
  .parse()
  .opts<{ milliseconds: number; largest: number }>();

const lines: string[][] = [];
for (const count of [1_000, options.largest]) lines.push(...(await compare(count, options.milliseconds)));
console.log(`${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}`);
console.log(
  `${DIMENSION} dimensions, best ${LIMIT} rows, one search at a time; MiB after a full garbage collection.`,
);
console.log('Build times exclude the creation of the random rows.\n');
const heads = ['search', 'p50 ms', 'p95 ms', 'max ms', 'build ms', 'MiB used', 'MiB reported'];
console.log(renderTable(heads, lines));
