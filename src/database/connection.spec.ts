import { createLogger } from '../common/index.js';
import { loadSettings, StartupError } from '../config/index.js';
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
  it('leaves neither user nor password', () => {
    expect(withoutCredentials('mongodb://user:pass@host/db')).toBe('mongodb://host/db');
  });
});

describe('clientOptions', () => {
  it('carries the pool settings, compression, retries, majority writes and IPv4', () => {
    expect(clientOptions(database, 'mongodb://localhost')).toMatchObject({
      maxPoolSize: 50,
      minPoolSize: 10,
      maxIdleTimeMS: 30_000,
      serverSelectionTimeoutMS: 15_000,
      socketTimeoutMS: 45_000,
      connectTimeoutMS: 10_000,
      maxConnecting: 10,
      compressors: ['zlib'],
      retryWrites: true,
      retryReads: true,
      writeConcern: { w: 'majority' },
      family: 4,
    });
  });
});

describe('openConnection', () => {
  const logger = createLogger({ level: 'silent', pretty: false });

  it('says at once that a connection string is malformed', async () => {
    await expect(openConnection('mongodb://', database, logger)).rejects.toThrow(
      /MONGODB_URI is not a connection string/,
    );
  });

  it('gives up after its attempts, each logged, with what to check and without the password', async () => {
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
      /127\.0\.0\.1:1.* was not reached in 2 attempts .*Check MONGODB_URI/,
    );
    await expect(failing).rejects.not.toThrow(/secret/);
    expect(warned).toEqual([expect.objectContaining({ attempt: 1, attempts: 2, delayMs: 1000 })]);
  });
});
