// npm run verify -- archive-million --messages 1000000: archives 70 % of many messages beside requests, and
// restores them. Prints memory, latencies and sizes, compares checksums, and fails if a bound is exceeded.
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { mongo } from 'mongoose';
import { ApiClient, renderBytes } from '../../src/cli/index.js';
import { wholeNumber } from '../support/options.js';
import { percentilesOf } from '../support/percentiles.js';
import { ServiceProcess } from '../support/service-process.js';

const main = join(import.meta.dirname, '..', '..', 'src', 'main.js');

const PER_CONVERSATION = 16;
const DUE_SHARE = 0.7;
const CLIENTS = 4;
/** Pause of a client between two requests. */
const THINK_MS = 20;
const IDLE_MS = 20_000;

/** How many times as long p95 of other requests may be while data is archived. */
const MAX_P95_RATIO = 1.25;
/** How much more private memory the service may need while it archives or restores, bytes. */
const MAX_EXTRA_BYTES = 256 * 1024 * 1024;
/** The least share of the space that is given back. */
const MIN_GIVEN_BACK = 0.3;

const collections = ['conversations', 'messages'];

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const text = 'I would like to book a table by the window for four people on Friday evening, please. ';

async function fill(db: mongo.Db, tenantId: string, messages: number): Promise<void> {
  const old = new Date('2020-01-01T00:00:00Z');
  const conversations = Math.round(messages / PER_CONVERSATION);
  for (let begin = 0; begin < conversations; begin += 500) {
    const heads: mongo.Document[] = [];
    const rows: mongo.Document[] = [];
    for (let at = begin; at < Math.min(begin + 500, conversations); at++) {
      const _id = new mongo.ObjectId();
      const updatedAt = at / conversations < DUE_SHARE ? new Date(old.getTime() + at) : new Date();
      heads.push({
        ...{ _id, tenantId, participantId: `p${at % 5000}`, channel: 'web', isActive: true, metadata: {} },
        ...{ messageCount: PER_CONVERSATION, lastSeq: PER_CONVERSATION, lastMessageAt: updatedAt },
        ...{ createdAt: updatedAt, updatedAt },
      });
      for (let seq = 1; seq <= PER_CONVERSATION; seq++)
        rows.push({
          ...{ _id: new mongo.ObjectId(), tenantId, conversationId: _id, seq },
          ...{ role: seq % 2 === 1 ? 'user' : 'assistant', content: `${at}/${seq} ${text}`, attachments: [] },
          ...{ metadata: { seq }, timestamp: updatedAt },
        });
    }
    await db.collection('conversations').insertMany(heads);
    await db.collection('messages').insertMany(rows);
  }
}

async function checksum(db: mongo.Db, tenantId: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of collections) {
    const rows = db
      .collection(name)
      .find({ tenantId }, { raw: true, sort: { _id: 1 }, hint: { _id: 1 }, batchSize: 1000 });
    for await (const bytes of rows) hash.update(bytes as unknown as Uint8Array);
  }
  return hash.digest('hex');
}

interface Sizes {
  documents: number;
  file: number;
}

async function sizes(db: mongo.Db, dataDir: string): Promise<Sizes> {
  const { dataSize, indexSize } = (await db.command({ dbStats: 1 })) as {
    dataSize: number;
    indexSize: number;
  };
  return { documents: dataSize + indexSize, file: (await stat(join(dataDir, 'store', 'data.mdb'))).size };
}

/** Resident memory in bytes: private memory, and mapped files such as the data file of the store. */
async function memoryOf(pid: number | undefined): Promise<{ own: number; mapped: number }> {
  const status = await readFile(`/proc/${pid ?? 0}/status`, 'utf8');
  const bytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? NaN) * 1024;
  return { own: bytes('RssAnon'), mapped: bytes('RssFile') + bytes('RssShmem') };
}

/** Sends requests until `until` settles, and returns their durations in milliseconds. */
async function probe(api: ApiClient, until: Promise<unknown>): Promise<number[]> {
  const durations: number[] = [];
  let isOver = false;
  const end = (): void => {
    isOver = true;
  };
  // Whether it failed, its caller finds out.
  until.then(end, end);
  const client = async (number: number): Promise<void> => {
    for (let at = 0; !isOver; at++) {
      const begun = performance.now();
      const { status } =
        at % 2 === 0
          ? await api.request('POST', '/v1/messages', {
              participantId: `live-${number}`,
              channel: 'web',
              content: `Message ${at}`,
            })
          : await api.request('GET', '/v1/conversations?limit=20');
      if (status >= 300) throw new Error(`status ${status}`);
      durations.push(performance.now() - begun);
      await delay(THINK_MS);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));
  return durations;
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        resolve(typeof address === 'object' && address ? address.port : 0);
      });
    });
  });

async function finished(admin: ApiClient, path: string, body: object): Promise<unknown> {
  const { body: started, status } = await admin.request('POST', path, body);
  if (status !== 202) throw new Error(`POST ${path}: status ${status}`);
  const { queue, jobId } = started as { queue: string; jobId: string };
  for (;;) {
    const job = (await admin.request('GET', `/v1/queues/${queue}/jobs/${jobId}`)).body as {
      state: string;
      result: unknown;
      error: unknown;
    };
    if (job.state === 'completed') return job.result;
    if (job.state === 'failed') throw new Error(JSON.stringify(job.error));
    await delay(500);
  }
}

/** Returns what is not as promised. */
async function verify(messages: number): Promise<string[]> {
  const problems: string[] = [];
  const check = (isKept: boolean, problem: string): void => {
    if (!isKept) problems.push(problem);
  };
  const cwd = await mkdtemp(join(tmpdir(), 'colloquy-million-'));
  const dataDir = join(cwd, 'data');
  const port = await freePort();
  const service = await ServiceProcess.start({
    main,
    cwd,
    env: {
      NODE_ENV: 'development',
      ...{ PORT: '0', LOG_LEVEL: 'warn', DATA_DIR: dataDir, EMBEDDED_MONGO_PORT: String(port) },
      ARCHIVE_SCHEDULE: 'off',
    },
  });
  const client = await mongo.MongoClient.connect(`mongodb://127.0.0.1:${port}/?directConnection=true`);
  let peak = { own: 0, mapped: 0 };
  const watch = setInterval(() => {
    memoryOf(service.pid).then(
      ({ own, mapped }) => (peak = { own: Math.max(peak.own, own), mapped: Math.max(peak.mapped, mapped) }),
      () => undefined,
    );
  }, 250);
  try {
    const db = client.db('colloquy');
    const admin = new ApiClient(service.url, service.adminKey);
    const keyOf = async (id: string): Promise<string> =>
      ((await admin.request('POST', '/v1/tenants', { id, name: id })).body as { apiKey: string }).apiKey;
    await keyOf('many');
    const live = new ApiClient(service.url, await keyOf('live'));
    await fill(db, 'many', messages);
    const before = { checksum: await checksum(db, 'many'), sizes: await sizes(db, dataDir) };
    const show = (name: string, { documents, file }: Sizes): void => {
      say(`${name}: ${renderBytes(documents)} of documents and indexes in a file of ${renderBytes(file)}`);
    };
    say(`${messages} messages in conversations of ${PER_CONVERSATION}, ${DUE_SHARE * 100} % of them due`);
    show('before', before.sizes);

    const p95 = (durations: number[]): number => percentilesOf(durations).p95;
    await probe(live, delay(3000));
    const idle = p95(await probe(live, delay(IDLE_MS)));
    const rest = await memoryOf(service.pid);
    peak = { own: 0, mapped: 0 };
    const checkMemory = (what: string): void => {
      const isKept = peak.own > 0 && peak.own <= rest.own + MAX_EXTRA_BYTES;
      check(isKept, `${what} needed more than ${renderBytes(MAX_EXTRA_BYTES)} of additional memory`);
    };

    let begun = performance.now();
    const seconds = (): string => `${((performance.now() - begun) / 1000).toFixed(1)} s`;
    const running = finished(admin, '/v1/archives/run', { tenantId: 'many', kind: 'conversations' });
    const ratio = p95(await probe(live, running)) / idle;
    const { totals } = (await running) as { totals: Record<string, number> };
    say(`archived in ${seconds()}: ${JSON.stringify(totals)}`);
    say(
      `memory of the service: ${renderBytes(rest.own)} before, ${renderBytes(peak.own)} at most ` +
        `(and ${renderBytes(peak.mapped)} of the mapped data file)`,
    );
    say(
      `p95 of other requests: ${idle.toFixed(1)} ms idle, ${(ratio * idle).toFixed(1)} ms while archiving, ratio ${ratio.toFixed(2)}`,
    );
    check(ratio <= MAX_P95_RATIO, `p95 of other requests grew by more than a factor of ${MAX_P95_RATIO}`);
    checkMemory('archiving');
    const after = await sizes(db, dataDir);
    show('after', after);
    const given = 1 - after.documents / before.sizes.documents;
    say(`${(given * 100).toFixed(1)} % given back to the free list of the store; the file keeps its size`);
    check(given >= MIN_GIVEN_BACK, `less than ${MIN_GIVEN_BACK * 100} % of the space was given back`);

    begun = performance.now();
    peak = { own: 0, mapped: 0 };
    const archives: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const query = `tenantId=many&limit=100${cursor === '' ? '' : `&cursor=${cursor}`}`;
      const page = (await admin.request('GET', `/v1/archives?${query}`)).body as {
        data: { id: string }[];
        nextCursor: string | null;
      };
      archives.push(...page.data.map(({ id }) => id));
      cursor = page.nextCursor;
    }
    const restoring = (async () => {
      for (const id of archives) await finished(admin, `/v1/archives/${id}/restore`, {});
    })();
    const whileRestoring = p95(await probe(live, restoring));
    await restoring;
    const isSame = (await checksum(db, 'many')) === before.checksum;
    say(
      `restored from ${archives.length} archives in ${seconds()}, memory ${renderBytes(peak.own)} at most, ` +
        `p95 ratio ${(whileRestoring / idle).toFixed(2)}: ${isSame ? 'identical by checksum' : 'NOT IDENTICAL'}`,
    );
    checkMemory('restoring');
    check(isSame, 'the restored data is not identical');
    return problems;
  } finally {
    clearInterval(watch);
    await client.close();
    await service.kill('SIGKILL');
    await rm(cwd, { recursive: true, force: true });
  }
}

await new Command('npm run verify -- archive-million')
  .description('Archives 70 % of many messages beside requests and restores them; prints what it took.')
  .option('--messages <count>', 'number of messages', wholeNumber, 1_000_000)
  .action(async ({ messages }: { messages: number }) => {
    const problems = await verify(messages);
    for (const problem of problems) say(`FAILED: ${problem}`);
    process.exitCode = problems.length === 0 ? 0 : 1;
  })
  .parseAsync();
