import { mongo } from 'mongoose';
import { type AddressInfo, createServer } from 'node:net';
import { loadSettings, StartupError } from '../config/index.js';
import { createLogger } from '../logging/index.js';
import { clientOptions, databaseNameOf, openConnection, withoutCredentials } from './connection.js';

const { database } = loadSettings({});

describe('databaseNameOf', () => {
  it.each([
    ['mongodb://localhost:27017', 'colloquy'],
    ['mongodb://localhost:27017/', 'colloquy'],
    ['mongodb://a,b,c/?replicaSet=rs0', 'colloquy'],
    ['mongodb://u:p@a,b/shop?replicaSet=rs0', 'shop'],
    ['mongodb+srv://cluster.example/my%20db', 'my db'],
    ['mongodb://%2Ftmp%2Fa.sock/?directConnection=true', 'colloquy'],
  ])('%s is %s', (uri, name) => {
    expect(databaseNameOf(uri)).toBe(name);
  });
});

describe('withoutCredentials', () => {
  it('removes the user and the password', () => {
    expect(withoutCredentials('mongodb://user:pass@host/db')).toBe('mongodb://host/db');
  });
});

describe('clientOptions', () => {
  /** The options that result from a connection string and our options, given an environment. */
  const effective = (uri: string, env: Record<string, string> = {}): mongo.MongoOptions =>
    new mongo.MongoClient(uri, clientOptions(loadSettings({ MONGODB_URI: uri, ...env }).database, uri))
      .options;

  it('use our defaults for what the connection string does not set', () => {
    expect(effective('mongodb://localhost')).toMatchObject({
      appName: 'colloquy',
      maxPoolSize: 50,
      minPoolSize: 10,
      maxIdleTimeMS: 30_000,
      serverSelectionTimeoutMS: 15_000,
      socketTimeoutMS: 45_000,
      connectTimeoutMS: 10_000,
      heartbeatFrequencyMS: 2000,
      maxConnecting: 10,
      waitQueueTimeoutMS: 10_000,
      compressors: ['zlib'],
      retryWrites: true,
      retryReads: true,
      writeConcern: { w: 'majority' },
    });
  });

  it('do not restrict hosts to IPv4', () => {
    expect(effective('mongodb://localhost')).toMatchObject({ autoSelectFamily: true });
    expect(effective('mongodb://localhost')).not.toHaveProperty('family');
  });

  it.each<[string, Record<string, unknown>]>([
    ['appName=shop', { appName: 'shop' }],
    ['maxPoolSize=70', { maxPoolSize: 70 }],
    ['minPoolSize=3', { minPoolSize: 3 }],
    ['maxIdleTimeMS=7000', { maxIdleTimeMS: 7000 }],
    ['serverSelectionTimeoutMS=700', { serverSelectionTimeoutMS: 700 }],
    ['socketTimeoutMS=7000', { socketTimeoutMS: 7000 }],
    ['connectTimeoutMS=700', { connectTimeoutMS: 700 }],
    ['heartbeatFrequencyMS=7000', { heartbeatFrequencyMS: 7000 }],
    ['maxConnecting=7', { maxConnecting: 7 }],
    ['waitQueueTimeoutMS=700', { waitQueueTimeoutMS: 700 }],
    ['MAXPOOLSIZE=70', { maxPoolSize: 70 }],
    ['compressors=none', { compressors: ['none'] }],
    ['retryWrites=false', { retryWrites: false }],
    ['retryReads=false', { retryReads: false }],
    ['family=6', { family: 6 }],
    ['w=majority&wtimeoutMS=9000', { writeConcern: { w: 'majority', wtimeoutMS: 9000 } }],
    ['journal=true', { writeConcern: { w: 'majority', journal: true } }],
  ])('leave %s to the connection string', (option, expected) => {
    expect(effective(`mongodb://localhost/?${option}`)).toMatchObject(expected);
  });

  it('a setting in the environment wins over the connection string', () => {
    expect(
      effective('mongodb://localhost/?maxPoolSize=70', { MONGODB_MAX_POOL_SIZE: '50' }).maxPoolSize,
    ).toBe(50);
  });
});

describe('openConnection', () => {
  const logger = createLogger({ level: 'silent', pretty: false });

  it('rejects a malformed connection string immediately', async () => {
    await expect(openConnection('mongodb://', database, logger)).rejects.toThrow(
      /MONGODB_URI is not a valid connection string/,
    );
  });

  it.each([
    'w=0',
    'w=1',
    'w=2',
    'journal=false',
    'readPreference=secondaryPreferred',
    'readPreference=nearest',
  ])('rejects %s immediately, without revealing the password', async (option) => {
    const opening = openConnection(`mongodb://me:secret@127.0.0.1:1/?${option}`, database, logger);
    await expect(opening).rejects.toThrow(StartupError);
    await expect(opening).rejects.toThrow(new RegExp(`MONGODB_URI has ${option}, but`));
    await expect(opening).rejects.not.toThrow(/secret/);
  });

  it('finds a server on localhost that listens on IPv4 only', async () => {
    const server = createServer();
    const found = new Promise<void>((resolve) =>
      server.on('connection', (socket) => {
        socket.on('error', () => undefined).destroy();
        resolve();
      }),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const quick = { ...database, DATABASE_CONNECT_ATTEMPTS: 1, MONGODB_SERVER_SELECTION_TIMEOUT_MS: 2000 };
    const opening = openConnection(`mongodb://localhost:${port}/`, quick, logger);
    await Promise.all([found, expect(opening).rejects.toThrow(StartupError)]);
    await new Promise((resolve) => server.close(resolve));
  });

  it('logs each attempt, then fails with what to check and without revealing the password', async () => {
    const warned: unknown[] = [];
    jest.spyOn(logger, 'warn').mockImplementation((details: unknown) => void warned.push(details));
    const quick = {
      ...database,
      DATABASE_CONNECT_ATTEMPTS: 2,
      MONGODB_SERVER_SELECTION_TIMEOUT_MS: 100,
      MONGODB_CONNECT_TIMEOUT_MS: 100,
    };
    const failing = openConnection('mongodb://me:secret@127.0.0.1:1/?directConnection=true', quick, logger);
    await expect(failing).rejects.toThrow(StartupError);
    await expect(failing).rejects.toThrow(
      /127\.0\.0\.1:1.* could not be reached in 2 attempts .*Check MONGODB_URI/,
    );
    await expect(failing).rejects.not.toThrow(/secret/);
    expect(warned).toEqual([expect.objectContaining({ attempt: 1, attempts: 2, delayMs: 1000 })]);
  });
});
