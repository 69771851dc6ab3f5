import { AsyncLocalStorage } from 'node:async_hooks';
import { getModelToken, MongooseModule } from '@nestjs/mongoose';
import { Test, type TestingModule } from '@nestjs/testing';
import { type Model, Schema } from 'mongoose';
import { CacheFamily, CacheModule, CacheService } from '../../src/cache/index.js';
import { ConfigModule, loadSettings } from '../../src/config/index.js';
import { DatabaseModule, TransactionRunner } from '../../src/database/index.js';
import { createLogger, LoggingModule } from '../../src/logging/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

interface Shop {
  tenantId: string;
  plan: string;
}

const shopSchema = new Schema<Shop>(
  { tenantId: { type: String, required: true }, plan: { type: String, required: true } },
  { versionKey: false, collection: 'shops' },
);
const family = new CacheFamily<{ plan: string }>('shop');
const MINUTE = 60_000;

describe('CacheService inside a transaction', () => {
  let database: TestDatabase;
  let module: TestingModule;
  let shops: Model<Shop>;
  let cache: CacheService;
  let transactions: TransactionRunner;
  let tenants = 0;
  let tenantId: string;

  beforeAll(async () => {
    database = createTestDatabase();
    module = await Test.createTestingModule({
      imports: [
        LoggingModule.forRoot(createLogger({ level: 'silent', pretty: false })),
        ConfigModule.forRoot(loadSettings({ MONGODB_URI: database.uri, MONGODB_MIN_POOL_SIZE: '0' })),
        DatabaseModule.forRoot(),
        CacheModule,
        MongooseModule.forFeature([{ name: 'Shop', schema: shopSchema }]),
      ],
    }).compile();
    await module.init();
    shops = module.get(getModelToken('Shop'));
    await shops.createCollection();
    cache = module.get(CacheService);
    transactions = module.get(TransactionRunner);
  });
  afterAll(async () => {
    await database.drop();
    await module.close();
  });
  beforeEach(async () => {
    tenantId = `shop-${++tenants}`;
    await shops.create({ tenantId, plan: 'free' });
  });

  /** Reads through the cache as a service does. */
  const planOf = async (): Promise<string | undefined> =>
    (
      await cache.wrap(family.key(tenantId, 'plan'), MINUTE, async () => {
        const shop = await shops.findOne({ tenantId }).lean();
        return shop ? { plan: shop.plan } : undefined;
      })
    )?.plan;
  /** Writes as a service does whose reads go through the cache. */
  const change = async (plan: string): Promise<void> => {
    await shops.updateOne({ tenantId }, { $set: { plan } });
    await cache.del(family.key(tenantId, 'plan'));
  };
  const rolledBack = async (work: () => Promise<void>): Promise<void> => {
    const rollback = new Error('rolled back');
    await expect(
      transactions.run(async () => {
        await work();
        throw rollback;
      }),
    ).rejects.toBe(rollback);
  };

  it.each(['before', 'not before'])(
    'returns the committed value after a rollback, when it was %s cached',
    async (when) => {
      if (when === 'before') expect(await planOf()).toBe('free');
      await rolledBack(async () => {
        await change('pro');
        // The transaction reads its own write, although the cache may hold the value before it.
        expect(await planOf()).toBe('pro');
        expect(cache.peek(family.key(tenantId, 'plan'))).toBeUndefined();
      });
      expect(await planOf()).toBe('free');
      expect(cache.peek(family.key(tenantId, 'plan'))).toEqual({ plan: 'free' });
    },
  );

  it('invalidates after the commit, and not before', async () => {
    const key = family.key(tenantId, 'plan');
    await planOf();
    // Acts as another request, outside of the transaction.
    const outside = AsyncLocalStorage.snapshot();
    await transactions.run(async () => {
      await change('pro');
      expect(outside(() => cache.peek(key))).toEqual({ plan: 'free' });
    });
    expect(cache.peek(key)).toBeUndefined();
    expect(await planOf()).toBe('pro');
  });

  it.each([
    ['del', () => cache.del(family.key(tenantId, 'plan'))],
    ['invalidateTenant', () => cache.invalidateTenant(tenantId)],
  ])('%s does nothing when the transaction is rolled back', async (_name, invalidate) => {
    await planOf();
    await rolledBack(() => invalidate());
    expect(cache.peek(family.key(tenantId, 'plan'))).toEqual({ plan: 'free' });
    await transactions.run(() => invalidate());
    expect(cache.peek(family.key(tenantId, 'plan'))).toBeUndefined();
  });
});
