import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { Test, type TestingModule } from '@nestjs/testing';
import { getConnectionToken } from '@nestjs/mongoose';
import type { Connection, mongo } from 'mongoose';
import { ConfigModule, loadSettings } from '../../src/config/index.js';
import {
  DatabaseModule,
  type ProcessRole,
  ProcessRegistry,
  type SentCommand,
  TransactionRunner,
} from '../../src/database/index.js';
import type { ProcessRecord } from '../../src/database/process.schema.js';
import { LoggingModule, createLogger } from '../../src/logging/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';

let database: TestDatabase;
let started: TestingModule[];

beforeEach(() => {
  database = createTestDatabase();
  started = [];
});

afterEach(async () => {
  for (const module of started) await module.close();
  await database.drop();
});

/** Starts the database module of a process, which registers the process. */
async function startProcess(
  onCommand?: (command: SentCommand) => void,
  role: ProcessRole = 'api',
): Promise<TestingModule> {
  const settings = loadSettings({ MONGODB_URI: database.uri, MONGODB_MIN_POOL_SIZE: '0' });
  const module = await Test.createTestingModule({
    imports: [
      LoggingModule.forRoot(createLogger({ level: 'silent', pretty: false })),
      ConfigModule.forRoot(settings),
      DatabaseModule.forRoot({ onCommand, role }),
    ],
  }).compile();
  await module.init();
  started.push(module);
  return module;
}

const rows = (): mongo.Collection<ProcessRecord> => database.collection<ProcessRecord>('processes');

/** Returns the id of a process that has been killed. */
async function killedPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  return child.pid ?? 0;
}

/** Starts a process that begins a transaction, changes a document in it, and never commits. */
async function leaveTransactionOpen(): Promise<{
  session: mongo.ClientSession;
  id: mongo.Binary | undefined;
}> {
  const module = await startProcess();
  await database.collection('accounts').insertOne({ name: 'ana', balance: 100 });
  const client = module.get<Connection>(getConnectionToken()).getClient();
  const session = client.startSession();
  await module.get(ProcessRegistry).remember(session);
  session.startTransaction();
  const accounts = client.db(database.name).collection('accounts');
  await accounts.updateOne({ name: 'ana' }, { $set: { balance: 0 } }, { session });
  return { session, id: session.id?.id };
}

/**
 * Writes the document that the abandoned transaction has changed. On a server, the write would wait as long
 * as that transaction is open.
 */
async function pay(module: TestingModule): Promise<void> {
  const accounts = module
    .get<Connection>(getConnectionToken())
    .getClient()
    .db(database.name)
    .collection('accounts');
  await module
    .get(TransactionRunner)
    .run((session) => accounts.updateOne({ name: 'ana' }, { $inc: { balance: -10 } }, { session }));
}

const balance = async (): Promise<unknown> =>
  (await database.collection('accounts').findOne({ name: 'ana' }))?.['balance'];

describe('a process killed during a transaction', () => {
  it('does not block a document once the next process on its host has started', async () => {
    const { session, id } = await leaveTransactionOpen();
    await rows().updateOne({}, { $set: { pid: await killedPid() } });
    const killed: unknown[] = [];
    const next = await startProcess(({ commandName, command }) => {
      if (commandName === 'killSessions') killed.push(command['killSessions']);
    });
    expect(killed).toEqual([[{ id }]]);
    await pay(next);
    expect(await balance()).toBe(90);
    await expect(session.commitTransaction()).rejects.toMatchObject({ code: 251 });
    expect((await rows().find().toArray()).map(({ pid }) => pid)).toEqual([process.pid]);
  });

  it('does not block a document on another host once its heartbeat is 15 s old, whichever processes detect that', async () => {
    const first = await startProcess();
    const second = await startProcess();
    const { session } = await leaveTransactionOpen();
    const left = { 'sessions.0': { $exists: true }, host: hostname() };
    await rows().updateOne(left, {
      $set: { host: 'elsewhere', pid: 1, beatAt: new Date(Date.now() - 14_000) },
    });
    await first.get(ProcessRegistry).beat();
    expect(await rows().countDocuments({ host: 'elsewhere' })).toBe(1);
    await rows().updateOne({ host: 'elsewhere' }, { $set: { beatAt: new Date(Date.now() - 16_000) } });
    await Promise.all([first.get(ProcessRegistry).beat(), second.get(ProcessRegistry).beat()]);
    expect(await rows().countDocuments({ host: 'elsewhere' })).toBe(0);
    await pay(first);
    expect(await balance()).toBe(90);
    await expect(session.commitTransaction()).rejects.toMatchObject({ code: 251 });
  });

  it('does not block a document in a restarted container once its heartbeat is 7.5 s old', async () => {
    const next = await startProcess();
    await leaveTransactionOpen();
    const left = { 'sessions.0': { $exists: true } };
    const beatBefore = (ms: number): Promise<unknown> =>
      rows().updateOne(left, {
        $set: { pidSpace: 'of the container before', pid: 1, beatAt: new Date(Date.now() - ms) },
      });
    await beatBefore(6000);
    await next.get(ProcessRegistry).beat();
    expect(await rows().countDocuments({ pid: 1 })).toBe(1);
    await beatBefore(9000);
    await next.get(ProcessRegistry).beat();
    expect(await rows().countDocuments({ pid: 1 })).toBe(0);
    await pay(next);
    expect(await balance()).toBe(90);
  });

  it('does not block a document if it had the process id of the current process', async () => {
    await leaveTransactionOpen();
    await rows().updateOne({}, { $set: { startedAt: new Date(performance.timeOrigin - 1000) } });
    await pay(await startProcess());
    expect(await balance()).toBe(90);
  });
});

describe('the row of a process', () => {
  it('exists while the process serves, contains the sessions of its transactions, and is deleted when it stops', async () => {
    const module = await startProcess();
    await database.collection('accounts').insertOne({ name: 'ana', balance: 100 });
    const used: unknown[] = [];
    await module.get(TransactionRunner).run((session) => {
      used.push(session.id?.id);
      return Promise.resolve();
    });
    await pay(module);
    const [row, ...others] = await rows().find().toArray();
    expect(others).toEqual([]);
    expect(row).toMatchObject({ host: hostname(), pid: process.pid, role: 'api', sessions: used });
    await module.close();
    started.pop();
    expect(await rows().countDocuments()).toBe(0);
  });

  it('is created again with its sessions if the process was considered dead', async () => {
    const module = await startProcess();
    await database.collection('accounts').insertOne({ name: 'ana', balance: 100 });
    await pay(module);
    const before = await rows().findOne();
    await rows().deleteMany({});
    await module.get(ProcessRegistry).beat();
    expect(await rows().findOne()).toEqual({ ...before, beatAt: expect.any(Date) as Date });
  });
});

describe('ProcessRegistry.otherServersAlive', () => {
  it('is false while there is only a worker, true as soon as another server is running, and false after that one has stopped', async () => {
    const registry = (await startProcess()).get(ProcessRegistry);
    await startProcess(undefined, 'worker');
    expect(await registry.otherServersAlive()).toBe(false);
    const other = await startProcess();
    expect(await registry.otherServersAlive()).toBe(true);
    await other.close();
    started.pop();
    await eventually(async () => !(await registry.otherServersAlive()));
  });

  it('reads the database once for all calls within a second', async () => {
    const finds: string[] = [];
    const registry = (
      await startProcess(({ commandName }) => {
        if (commandName === 'find') finds.push(commandName);
      })
    ).get(ProcessRegistry);
    finds.length = 0;
    await Promise.all(Array.from({ length: 20 }, () => registry.otherServersAlive()));
    expect(finds).toHaveLength(1);
  });
});
