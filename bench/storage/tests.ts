import { BenchServer, ENQUEUE, NAIVE, type Run, startOllamaStub } from './bench-server.js';
import { httpRequest } from '../../test/support/http-load.js';
import type { Percentiles } from '../../test/support/percentiles.js';
import { atLeast, below, type FigureRow, type Target } from './report.js';
import type { Texts } from './texts.js';

export interface StorageOptions {
  texts: Texts;
  tenants: number;
  /** Number of transcripts in the test with 100 clients. */
  count: number;
  /** Transcripts per second of the paced load. */
  rate: number;
  /** Duration of the third test, which sends 1,000 transcripts. */
  seconds: number;
  /** Number of transcripts for each batch size. */
  perSize: number;
  /** Number of transcripts sent through the Ollama stub, and of naive requests to it. */
  viaOllama: number;
  queries: number;
  profileDir?: string | undefined;
  say: (what: string) => void;
  /** Called with figures as soon as they are available, because a run takes minutes. */
  onFigures: (rows: readonly FigureRow[]) => void;
}

const CLIENTS = 100;
/** V8 needs some thousands of requests to compile hot code; a real service runs longer than that. */
const WARM_UP = 5000;
const STUB_DELAY_MS = 150;
const SIZES = [1, 5, 10, 25, 50, 100] as const;

/**
 * Excludes two effects from the measurement: the limit of the backlog, and the wait of the last transcripts
 * for a full batch.
 */
const STORAGE_SETTINGS = { TRANSCRIPT_MAX_QUEUE_SIZE: '1000000', TRANSCRIPT_BATCH_TIMEOUT_MS: '1000' };
const WIDE_BATCHES = { TRANSCRIPT_BATCH_SIZE: '100', TRANSCRIPT_MAX_BATCH_SIZE: '100' };

const openServer = async (
  { texts, tenants, profileDir }: StorageOptions,
  settings: Readonly<Record<string, string>>,
): Promise<BenchServer> => {
  const server = await BenchServer.start({
    settings: { ...STORAGE_SETTINGS, ...settings },
    texts,
    tenants,
    profileDir,
  });
  await server.store(ENQUEUE, { count: WARM_UP, clients: 20 }, 'warm');
  return server;
};

async function withServer<T>(
  options: StorageOptions,
  settings: Readonly<Record<string, string>>,
  work: (server: BenchServer) => Promise<T>,
): Promise<T> {
  const server = await openServer(options, settings);
  try {
    return await work(server);
  } finally {
    await server.close();
  }
}

function times(
  test: number,
  name: string,
  of: Percentiles,
  naive: Percentiles | undefined,
  p99?: Target,
): FigureRow[] {
  return (['p50', 'p95', 'p99'] as const).map((at) => ({
    test,
    name: `${name}, ${at}`,
    unit: 'ms',
    value: of[at],
    ...(naive && { naive: naive[at] }),
    ...(at === 'p99' && p99 && { target: p99 }),
  }));
}

/** Of all figures, this one is least affected by other work on the machine. */
const processor = (test: number, name: string, run: Run, naive: Run): FigureRow => ({
  test,
  name: `${name}: CPU time per transcript`,
  unit: 'ms',
  value: run.figures.cpuMs / run.amount.count,
  naive: naive.figures.cpuMs / naive.amount.count,
});

const memory = (test: number, name: string, run: Run, naive: Run): FigureRow[] => [
  {
    test,
    name: `${name}, max heap`,
    unit: 'MiB',
    value: run.figures.memory.heap,
    naive: naive.figures.memory.heap,
  },
  {
    test,
    name: `${name}, max RSS`,
    unit: 'MiB',
    value: run.figures.memory.rss,
    naive: naive.figures.memory.rss,
  },
];

async function single(server: BenchServer, { say, count }: StorageOptions): Promise<FigureRow[]> {
  say('test 1: one client');
  const amount = { count: Math.min(500, count), clients: 1 };
  const run = await server.store(ENQUEUE, amount, 'single');
  const naive = await server.store(NAIVE, amount, 'single-naive');
  return [
    ...times(1, 'one client: server time', run.server, naive.server, below(5)),
    ...times(1, 'one client: client time', run.client, naive.client),
  ];
}

async function paced(server: BenchServer, { say, count, rate }: StorageOptions): Promise<FigureRow[]> {
  const name = `${CLIENTS} clients at ${rate}/s`;
  say(`test 2: ${name}`);
  const amount = { count, clients: CLIENTS, perSecond: rate };
  const run = await server.store(ENQUEUE, amount, 'paced');
  const naive = await server.store(NAIVE, amount, 'paced-naive');
  const { enqueue, embed, insert, loop, batchSize } = run.figures;
  return [
    ...times(2, `${name}: server time`, run.server, naive.server, below(5)),
    ...times(2, `${name}: enqueue() only`, enqueue, undefined),
    ...times(2, `${name}: client time`, run.client, naive.client),
    ...times(2, `${name}: batch embedded`, embed, undefined),
    { test: 2, name: `${name}: transcripts per batch, mean`, unit: '', value: batchSize.mean },
    { test: 2, name: `${name}: batch inserted, p50`, unit: 'ms', value: insert.p50 },
    { test: 2, name: `${name}: batch inserted, p95`, unit: 'ms', value: insert.p95, target: below(40) },
    {
      test: 2,
      name: `${name}: event loop delay, p99`,
      unit: 'ms',
      value: loop.p99,
      naive: naive.figures.loop.p99,
    },
    processor(2, name, run, naive),
  ];
}

async function flooded(server: BenchServer, { say, count }: StorageOptions): Promise<FigureRow[]> {
  const name = `${CLIENTS} clients flooding`;
  say(`test 2: ${name}`);
  const run = await server.store(ENQUEUE, { count, clients: CLIENTS }, 'flood');
  const naive = await server.store(NAIVE, { count, clients: CLIENTS }, 'flood-naive');
  return [
    ...times(2, `${name}: server time`, run.server, naive.server, below(5)),
    {
      test: 2,
      name: `${name}: accepted`,
      unit: '/s',
      value: run.answeredPerSecond,
      naive: naive.answeredPerSecond,
    },
    {
      test: 2,
      name: `${name}: stored, batches of 10 to 32`,
      unit: '/s',
      value: run.storedPerSecond,
      naive: naive.storedPerSecond,
      target: atLeast(1000),
    },
    processor(2, name, run, naive),
    ...memory(2, name, run, naive),
  ];
}

async function hundred(server: BenchServer, options: StorageOptions): Promise<FigureRow[]> {
  return [...(await paced(server, options)), ...(await flooded(server, options))];
}

async function wideBatches(options: StorageOptions): Promise<FigureRow[]> {
  options.say('test 2: batches of 100');
  return withServer(options, WIDE_BATCHES, async (server) => {
    const run = await server.store(ENQUEUE, { count: options.count, clients: CLIENTS }, 'wide');
    return [
      {
        test: 2,
        name: `${CLIENTS} clients flooding: stored, batches of 100`,
        unit: '/s',
        value: run.storedPerSecond,
        target: atLeast(1000),
      },
    ];
  });
}

async function viaOllama(options: StorageOptions): Promise<FigureRow[]> {
  const { say, viaOllama: count, rate } = options;
  say(`test 2: an embedding service that takes ${STUB_DELAY_MS} ms`);
  const stub = await startOllamaStub(STUB_DELAY_MS);
  // One concurrent call per client, so that the naive approach does not have to wait for a free slot.
  const settings = { EMBEDDER: 'ollama', OLLAMA_URL: stub.url, EMBEDDING_CONCURRENCY: String(CLIENTS) };
  try {
    return await withServer(options, settings, async (server) => {
      const run = await server.store(ENQUEUE, { count, clients: CLIENTS, perSecond: rate }, 'ollama');
      const naive = await server.store(NAIVE, { count, clients: CLIENTS }, 'ollama-naive');
      const name = `${STUB_DELAY_MS} ms service, ${CLIENTS} clients`;
      return [
        ...times(2, `${name}: server time`, run.server, naive.server, below(5)),
        {
          test: 2,
          name: `${name}: p99 lower than naive by`,
          unit: 'x',
          value: naive.server.p99 / run.server.p99,
          target: atLeast(20),
        },
        { test: 2, name: `${name}: batch embedded, p50`, unit: 'ms', value: run.figures.embed.p50 },
        {
          test: 2,
          name: `${name}: batch embedded, p95`,
          unit: 'ms',
          value: run.figures.embed.p95,
          target: below(200),
        },
        {
          test: 2,
          name: `${name}: stored`,
          unit: '/s',
          value: run.storedPerSecond,
          naive: naive.storedPerSecond,
        },
      ];
    });
  } finally {
    await stub.kill('SIGKILL');
  }
}

async function overTime(server: BenchServer, { say, seconds }: StorageOptions): Promise<FigureRow[]> {
  say(`test 3: 1,000 over ${seconds} s`);
  const amount = { count: 1000, clients: CLIENTS, perSecond: 1000 / seconds };
  const run = await server.store(ENQUEUE, amount, 'minute');
  const naive = await server.store(NAIVE, amount, 'minute-naive');
  const name = `1,000 over ${seconds} s`;
  return [
    ...times(3, `${name}: server time`, run.server, naive.server, below(5)),
    processor(3, name, run, naive),
    { test: 3, name: `${name}: last transcript stored after`, unit: 's', value: run.figures.storedInSeconds },
    ...memory(3, name, run, naive),
  ];
}

async function batchSizes(options: StorageOptions): Promise<FigureRow[]> {
  const rows: FigureRow[] = [];
  for (const size of SIZES) {
    options.say(`test 4: batches of ${size}`);
    const settings = { TRANSCRIPT_BATCH_SIZE: String(size), TRANSCRIPT_MAX_BATCH_SIZE: String(size) };
    const run = await withServer(options, settings, (server) =>
      server.store(ENQUEUE, { count: options.perSize, clients: CLIENTS }, `size-${size}`),
    );
    const { embed, insert } = run.figures;
    rows.push(
      { test: 4, name: `batches of ${size}: stored`, unit: '/s', value: run.storedPerSecond },
      { test: 4, name: `batches of ${size}: embedded, p50`, unit: 'ms', value: embed.p50 },
      { test: 4, name: `batches of ${size}: inserted, p50`, unit: 'ms', value: insert.p50 },
      {
        test: 4,
        name: `batches of ${size}: inserted, p95`,
        unit: 'ms',
        value: insert.p95,
        ...(size === 10 && { target: below(40) }),
      },
      {
        test: 4,
        name: `batches of ${size}: inserted, per transcript`,
        unit: 'ms',
        value: insert.mean / size,
      },
    );
  }
  return rows;
}

async function queries(server: BenchServer, options: StorageOptions): Promise<FigureRow[]> {
  const { say, texts, queries: count } = options;
  say('test 5: queries');
  const list = (n: number, key: string): Buffer =>
    httpRequest('GET', `/v1/transcripts?limit=20&participantId=participant-${n % 500}`, key);
  const search = (n: number, key: string): Buffer =>
    httpRequest('POST', '/v1/transcripts/search', key, { query: texts.query(n) });
  const own = await server.store(ENQUEUE, { count: 500, clients: 20 }, 'read');
  const page = await server.ask('GET /v1/transcripts', { count: server.tenants, clients: 1 }, (_, key) =>
    httpRequest('GET', '/v1/transcripts?limit=50', key),
  );
  const ids = page.bodies.map((body) =>
    (JSON.parse(body) as { data: { id: string }[] }).data.map(({ id }) => id),
  );
  const get = (n: number, key: string): Buffer => {
    const ofTenant = ids[n % server.tenants] ?? [];
    return httpRequest(
      'GET',
      `/v1/transcripts/${ofTenant[Math.floor(n / server.tenants) % ofTenant.length] ?? ''}`,
      key,
    );
  };
  // The first search of a tenant reads its vectors, so it is a separate figure.
  const first = await server.ask(
    'POST /v1/transcripts/search',
    { count: server.tenants, clients: 1 },
    search,
  );
  const rows: FigureRow[] = [
    {
      test: 5,
      name: 'first search of a tenant, which reads its vectors',
      unit: 'ms',
      value: first.server.max,
    },
  ];
  say(`test 5: ${own.figures.stored} additional transcripts are stored`);
  for (const clients of [1, 10]) {
    const amount = { count, clients };
    const name = `${clients === 1 ? 'one client' : `${clients} clients`}`;
    const searched = await server.ask('POST /v1/transcripts/search', amount, search);
    const got = await server.ask('GET /v1/transcripts/:id', amount, get);
    const listed = await server.ask('GET /v1/transcripts', amount, list);
    const one = clients === 1;
    rows.push(
      ...times(5, `search by meaning, ${name}`, searched.server, undefined, one ? below(25) : undefined),
      ...times(5, `get, ${name}`, got.server, undefined, one ? below(10) : undefined),
      ...times(5, `list of 20, ${name}`, listed.server, undefined, one ? below(25) : undefined),
    );
  }
  return rows;
}

/** Runs the tests with these numbers. */
export async function runTests(numbers: ReadonlySet<number>, options: StorageOptions): Promise<FigureRow[]> {
  const rows: FigureRow[] = [];
  const add = (found: readonly FigureRow[]): void => {
    rows.push(...found);
    options.onFigures(found);
  };
  const inOneServer: [number, (server: BenchServer, options: StorageOptions) => Promise<FigureRow[]>][] = [
    [1, single],
    [2, hundred],
    [3, overTime],
    [5, queries],
  ];
  const wanted = inOneServer.filter(([number]) => numbers.has(number));
  if (wanted.length > 0)
    await withServer(options, {}, async (server) => {
      for (const [, test] of wanted) add(await test(server, options));
    });
  if (numbers.has(2)) {
    add(await wideBatches(options));
    add(await viaOllama(options));
  }
  if (numbers.has(4)) add(await batchSizes(options));
  return rows.toSorted((a, b) => a.test - b.test);
}
