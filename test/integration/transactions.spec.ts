import { Body, Controller, Post } from '@nestjs/common';
import { MongooseModule, getModelToken } from '@nestjs/mongoose';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { type Model, mongo, Schema } from 'mongoose';
import { z } from 'zod';
import { ConfigModule, loadSettings } from '../../src/config/index.js';
import {
  DatabaseModule,
  DatabaseService,
  IndexManager,
  Transactional,
  TransactionRunner,
} from '../../src/database/index.js';
import { createValidationPipe, ProblemFilter } from '../../src/http/index.js';
import { LoggingModule, createLogger } from '../../src/logging/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

interface Account {
  name: string;
  balance: number;
}

const accountSchema = new Schema<Account>(
  { name: { type: String, required: true }, balance: { type: Number, required: true } },
  { versionKey: false, collection: 'accounts' },
);
// Serves: one account by its name.
accountSchema.index({ name: 1 }, { unique: true });

const transferBody = z.strictObject({ amount: z.int().min(1).default(10) });
type TransferBody = z.output<typeof transferBody>;

const transient = (): Error => {
  const error = new mongo.MongoServerError({ message: 'lost against another writer', code: 112 });
  error.addErrorLabel('TransientTransactionError');
  return error;
};

let fail: Error | undefined;
/** Number of handler runs so far, and the number of the first run without a transient error. */
let runs = 0;
let failUntil = 0;
let accounts: Model<Account>;

@Controller('transfer')
class TransferController {
  @Transactional()
  @Post()
  async transfer(@Body({ schema: transferBody }) { amount }: TransferBody): Promise<{ moved: number }> {
    runs++;
    await accounts.updateOne({ name: 'ana' }, { $inc: { balance: -amount } });
    if (fail) throw fail;
    if (runs < failUntil) throw transient();
    await accounts.updateOne({ name: 'ben' }, { $inc: { balance: amount } });
    return { moved: amount };
  }
}

describe('transactions on a real database', () => {
  let database: TestDatabase;
  let app: NestFastifyApplication;
  let transactions: TransactionRunner;

  const balances = async (): Promise<Record<string, number>> =>
    Object.fromEntries((await accounts.find().lean()).map(({ name, balance }) => [name, balance]));

  beforeAll(async () => {
    database = createTestDatabase();
    const settings = loadSettings({
      MONGODB_URI: database.uri,
      MONGODB_MIN_POOL_SIZE: '0',
      TRANSACTION_MAX_ATTEMPTS: '60',
    });
    const module = await Test.createTestingModule({
      imports: [
        LoggingModule.forRoot(createLogger({ level: 'silent', pretty: false })),
        ConfigModule.forRoot(settings),
        DatabaseModule.forRoot(),
        MongooseModule.forFeature([{ name: 'Account', schema: accountSchema }]),
      ],
      controllers: [TransferController],
    }).compile();
    app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter());
    app.useGlobalPipes(createValidationPipe());
    app.useGlobalFilters(new ProblemFilter(createLogger({ level: 'silent', pretty: false }), []));
    await app.init();
    accounts = app.get<Model<Account>>(getModelToken('Account'));
    transactions = app.get(TransactionRunner);
    await app.get(IndexManager).ensure();
  });

  afterAll(async () => {
    await database.drop();
    await app.close();
  });

  beforeEach(async () => {
    fail = undefined;
    runs = 0;
    failUntil = 0;
    await accounts.deleteMany({});
    await accounts.insertMany([
      { name: 'ana', balance: 100 },
      { name: 'ben', balance: 0 },
    ]);
  });

  const post = (url: string, payload: object = {}) => app.inject({ method: 'POST', url, payload });

  it('stores all writes of a handler with @Transactional()', async () => {
    const answer = await post('/transfer');
    expect(answer.json()).toEqual({ moved: 10 });
    expect(await balances()).toEqual({ ana: 90, ben: 10 });
  });

  it('stores nothing if the handler fails', async () => {
    fail = new Error('in the middle');
    const answer = await post('/transfer');
    expect(answer.statusCode).toBe(500);
    expect(await balances()).toEqual({ ana: 100, ben: 0 });
  });

  it('opens no transaction for a request that fails validation', async () => {
    const before = transactions.stats();
    const answer = await post('/transfer', { amount: -1 });
    expect(answer.statusCode).toBe(400);
    expect(runs).toBe(0);
    expect(transactions.stats()).toEqual(before);
  });

  it('runs a handler again with the same arguments after transient errors, and stores its writes once', async () => {
    failUntil = 3;
    const answer = await post('/transfer', { amount: 7 });
    expect(answer.json()).toEqual({ moved: 7 });
    expect(runs).toBe(3);
    expect(await balances()).toEqual({ ana: 93, ben: 7 });
  });

  it('rethrows the error of the callback unchanged', async () => {
    const error = new Error('mine');
    await expect(transactions.run(() => Promise.reject(error))).rejects.toBe(error);
  });

  it('runs the callback again after a transient error, and stores its writes once', async () => {
    let tries = 0;
    await transactions.run(async () => {
      tries++;
      await accounts.updateOne({ name: 'ben' }, { $inc: { balance: 1 } });
      if (tries < 3) throw transient();
    });
    expect(tries).toBe(3);
    expect((await balances())['ben']).toBe(1);
  });

  it('gives up after TRANSACTION_MAX_ATTEMPTS and throws the transient error', async () => {
    let tries = 0;
    // The delays between attempts are random parts of a maximum; these parts are empty.
    const random = jest.spyOn(Math, 'random').mockReturnValue(1);
    const settled = transactions.run(() => {
      tries++;
      return Promise.reject(transient());
    });
    await expect(settled).rejects.toThrow('lost against another writer');
    random.mockRestore();
    expect(tries).toBe(60);
  });

  it('runs after-commit hooks once, concurrently after the commit, waits for all of them, and runs none after an abort', async () => {
    const seen: string[] = [];
    let tries = 0;
    await transactions.run(async () => {
      tries++;
      await transactions.afterCommit(async () => {
        seen.push(`first sees ${String((await balances())['ben'])}`);
      });
      await transactions.afterCommit(() => {
        seen.push('second');
      });
      await accounts.updateOne({ name: 'ben' }, { $set: { balance: 7 } });
      if (tries === 1) throw transient();
    });
    await expect(
      transactions.run(async () => {
        await transactions.afterCommit(() => {
          seen.push('never');
        });
        throw new Error('aborted');
      }),
    ).rejects.toThrow('aborted');
    expect(seen).toEqual(['second', 'first sees 7']);
  });

  it('joins a transaction that is already running', async () => {
    await expect(
      transactions.run(async () => {
        await transactions.run(() => accounts.updateOne({ name: 'ben' }, { $set: { balance: 5 } }));
        throw new Error('outer fails');
      }),
    ).rejects.toThrow('outer fails');
    expect((await balances())['ben']).toBe(0);
  });

  it('does not include operations that its callback left running', async () => {
    let open!: () => void;
    const gate = new Promise<void>((resolve) => (open = resolve));
    let late: Promise<boolean> | undefined;
    await transactions.run(() => {
      late = gate.then(async () => {
        const { active } = transactions;
        await accounts.updateOne({ name: 'ana' }, { $set: { balance: 90 } });
        await transactions.run(() => accounts.updateOne({ name: 'ben' }, { $set: { balance: 10 } }));
        return active;
      });
      return Promise.resolve();
    });
    open();
    expect(await late).toBe(false);
    expect(await balances()).toEqual({ ana: 90, ben: 10 });
  });

  it('loses no update when 30 writers change the same document, and keeps the total', async () => {
    const move = (): Promise<void> =>
      transactions.run(async () => {
        const ana = await accounts.findOne({ name: 'ana' }).lean().orFail();
        await accounts.updateOne({ name: 'ana' }, { $set: { balance: ana.balance - 1 } });
        await accounts.updateOne({ name: 'ben' }, { $inc: { balance: 1 } });
      });
    await Promise.all(Array.from({ length: 30 }, move));
    expect(await balances()).toEqual({ ana: 70, ben: 30 });
  });

  it('hides uncommitted writes', async () => {
    let inside: number | undefined;
    await transactions.run(async () => {
      await accounts.updateOne({ name: 'ben' }, { $set: { balance: 50 } });
      inside = (await accounts.findOne({ name: 'ben' }).lean().orFail()).balance;
      const outside = await database.collection('accounts').findOne({ name: 'ben' });
      expect(outside?.['balance']).toBe(0);
    });
    expect(inside).toBe(50);
  });

  it('reports its pool and responds to a ping', async () => {
    const service = app.get(DatabaseService);
    expect(await service.ping(2000)).toBeGreaterThanOrEqual(0);
    const { state, pool, transactions: counts, database: name } = service.stats();
    expect(state).toBe('connected');
    expect(name).toBe(database.name);
    expect(pool).toMatchObject({ inUse: 0, waiting: 0, maxSize: 50 });
    expect(pool.open).toBeGreaterThan(0);
    expect(counts.committed).toBeGreaterThan(0);
    expect(counts.retries).toBeGreaterThan(0);
  });

  it('creates indexes once and reports them', async () => {
    const [report] = await app.get(IndexManager).ensure();
    expect(report).toMatchObject({ collection: 'accounts', documents: 2 });
    expect(report?.indexes.map(({ name, created, undeclared }) => ({ name, created, undeclared }))).toEqual([
      { name: '_id_', created: false, undeclared: false },
      { name: 'name_1', created: false, undeclared: false },
    ]);
    expect(await app.get(IndexManager).missing()).toEqual([]);
  });
});
