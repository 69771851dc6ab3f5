import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { mongo } from 'mongoose';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { createServiceFolder } from '../support/process.js';

const dist = resolve(process.env['COLLOQUY_TEST_DIST'] ?? 'dist');

interface Result {
  code: unknown;
  output: string;
}

let dir: string;
let database: TestDatabase;
let client: mongo.MongoClient;
let db: mongo.Db;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'colloquy-tools-'));
  database = createTestDatabase();
  client = new mongo.MongoClient(database.uri);
  db = client.db(database.name);
  const orders = db.collection('orders');
  await orders.insertMany(Array.from({ length: 300 }, (_, n) => ({ customer: n, note: `n${n}`, total: n })));
  await orders.createIndex({ customer: 1 });
});

afterAll(async () => {
  await client.close();
  await database.drop();
  await rm(dir, { recursive: true, force: true });
});

/** The scripts of this suite run the build in `dist`, which `npm test` creates first. */
function start(script: string, args: string[], settings: Record<string, string> = {}): ChildProcess {
  const env = {
    PATH: process.env['PATH'],
    NODE_ENV: 'test',
    DATA_DIR: join(dir, 'data'),
    ...(settings['DATA_DIR'] === undefined && { MONGODB_URI: database.uri }),
    ...settings,
  };
  return spawn(process.execPath, [join(dist, 'scripts', script), ...args], { cwd: dir, env });
}

async function finish(child: ChildProcess, meanwhile?: () => Promise<unknown>): Promise<Result> {
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
  let isOver = false;
  const over = once(child, 'close').finally(() => (isOver = true));
  while (meanwhile && !isOver) await meanwhile();
  const [code] = (await over) as [unknown];
  return { code, output };
}

describe('npm run db:analyze', () => {
  const work = async (): Promise<void> => {
    const orders = db.collection('orders');
    await orders.find({ note: 'n7' }).sort({ total: -1 }).toArray();
    await orders.find({ customer: 7 }).toArray();
  };

  it('finds a query without an index and suggests one, and none for a query that has one', async () => {
    const { code, output } = await finish(start('db-analyze.js', ['--seconds', '1.5']), work);
    expect(output).toContain('profiling for 1.5 s');
    expect(code).toBe(0);
    const advice = output.split('\n').filter((line) => line.startsWith(`${database.name}.orders: `));
    expect(advice).toEqual([
      `${database.name}.orders: find { note: = } reads the whole collection; an index would help: { note: 1, total: -1 }`,
    ]);
    expect(output).toMatch(/find +\d+ .*COLLSCAN/);
    expect(output).toMatch(/find +\d+ .*IXSCAN \{ customer: 1 \}/);
    expect(output).not.toContain('system.profile');
  });

  it('restores the profiling level, even when it is interrupted', async () => {
    await db.command({ profile: 1, slowms: 250 });
    try {
      const child = start('db-analyze.js', ['--seconds', '600', '--slow-ms', '1']);
      let isInterrupted = false;
      const { code, output } = await finish(child, async () => {
        const { slowms } = await db.command({ profile: -1 });
        if (slowms === 1 && !isInterrupted) isInterrupted = child.kill('SIGINT');
      });
      expect({ code, isInterrupted }).toEqual({ code: 0, isInterrupted: true });
      expect(output).toContain('operations of');
      expect(await db.command({ profile: -1 })).toMatchObject({ was: 1, slowms: 250 });
    } finally {
      await db.command({ profile: 0, slowms: 100 });
    }
  });
});

describe('npm run db:monitor', () => {
  const samplesIn = (text: string): number => (text.match(/operations\/s/g) ?? []).length;

  it('shows connections, rates and sizes', async () => {
    const child = start('db-monitor.js', ['--once', '--interval', '1', '--json']);
    const { code, output } = await finish(child, () => db.collection('orders').insertOne({}));
    expect({ code, lines: output.trim().split('\n').length }).toEqual({ code: 0, lines: 1 });
    const sample = JSON.parse(output) as {
      now: { connections: { current: number } };
      rates: { operations: Record<string, number> };
      storage: { documents: number; collections: { name: string; indexes: Record<string, number> }[] };
    };
    expect(sample.now.connections.current).toBeGreaterThan(0);
    expect(sample.rates.operations['insert']).toBeGreaterThan(0);
    expect(sample.storage.documents).toBeGreaterThanOrEqual(300);
    const orders = sample.storage.collections.find(({ name }) => name === 'orders');
    expect(Object.keys(orders?.indexes ?? {})).toEqual(['_id_', 'customer_1']);
  });

  it('reads the embedded store of a running service until it receives a signal', async () => {
    const folder = await createServiceFolder();
    try {
      await folder.start();
      const settings = { DATA_DIR: folder.dataDir };
      const child = start('db-monitor.js', ['--interval', '0.2'], settings);
      let text = '';
      child.stdout?.on('data', (chunk: Buffer) => {
        const before = samplesIn(text);
        text += chunk.toString('utf8');
        if (before < 2 && samplesIn(text) >= 2) child.kill('SIGTERM');
      });
      const { code, output } = await finish(child);
      expect(code).toBe(0);
      expect(output).toContain(`of the embedded store in ${folder.dataDir}`);
      expect(output).toMatch(/conversations +0 /);
      expect(output).toMatch(/disk .* free of /);
    } finally {
      await folder.remove();
    }
  });
});
