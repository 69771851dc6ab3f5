import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderEnvExample } from './env-example.js';
import { loadSettings, secretsOf, SettingsError } from './settings.js';
import { definitionsOf, groupNames } from './settings.schema.js';

const problemsOf = (env: Record<string, string>): readonly string[] => {
  try {
    loadSettings(env);
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
};

const strong = 'kQ8v-2mXr7Zt_4bNw9Lc5Hy1Ds3Fg6Jp';

describe('loadSettings', () => {
  it.each([
    ['ALERT_ERROR_RATIO', '0.1'],
    ['ALERT_ERROR_RATIO', '0.1,0.05'],
    ['ALERT_ERROR_RATIO', '0.1,2'],
    ['ALERT_ERROR_RATIO', 'low,high'],
    ['ALERT_CACHE_HIT_RATIO', '0.1,0.5'],
  ])('rejects alert limits that make no sense: %s=%s', (name, value) => {
    expect(problemsOf({ [name]: value }).join()).toContain(name);
  });

  it('returns the documented defaults', () => {
    const { database, session, processing, service } = loadSettings({});
    expect(database).toMatchObject({
      MONGODB_URI: undefined,
      MONGODB_MAX_POOL_SIZE: 50,
      MONGODB_MIN_POOL_SIZE: 10,
      MONGODB_MAX_IDLE_TIME_MS: 30_000,
      MONGODB_SERVER_SELECTION_TIMEOUT_MS: 15_000,
      MONGODB_SOCKET_TIMEOUT_MS: 45_000,
      MONGODB_CONNECT_TIMEOUT_MS: 10_000,
      MONGODB_MAX_CONNECTING: 10,
    });
    expect(session).toMatchObject({
      SESSION_MEMORY_PROFILE: 'default',
      MAX_ACTIVE_SESSIONS: undefined,
      SESSION_MEMORY_BYTES: undefined,
      SESSION_IDLE_TTL_MS: 3_600_000,
      SESSION_CLEANUP_INTERVAL_MS: 60_000,
      SESSION_TTL_HOURS: 2,
    });
    expect(processing.MESSAGE_PROCESSOR_TIMEOUT).toBe(30_000);
    expect(service.DATA_DIR).toBe('.data');
  });

  it('lists every problem, each with what would be valid', () => {
    const problems = problemsOf({
      PORT: 'many',
      LOG_LEVEL: 'loud',
      MONGODB_URI: 'localhost:27017',
      MAX_ACTIVE_SESSIONS: '0',
    });
    expect(problems).toHaveLength(4);
    expect(problems).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^PORT: "many" must be a whole number, for example PORT=3000/),
        expect.stringMatching(/^LOG_LEVEL: "loud" must be trace, debug/),
        expect.stringMatching(/^MONGODB_URI: must start with mongodb:/),
        expect.stringMatching(/^MAX_ACTIVE_SESSIONS: "0" must be at least 1/),
      ]),
    );
  });

  it('never repeats a secret', () => {
    expect(problemsOf({ ADMIN_API_KEY: 'hunter2' }).join()).not.toContain('hunter2');
  });

  it('requires the admin key in production', () => {
    expect(problemsOf({ NODE_ENV: 'production' })).toEqual([
      expect.stringMatching(/^ADMIN_API_KEY: is required/),
    ]);
    expect(problemsOf({ NODE_ENV: 'production', ADMIN_API_KEY: strong })).toEqual([]);
  });

  it('refuses weak keys in production, and says how to make a strong one', () => {
    expect(
      problemsOf({
        NODE_ENV: 'production',
        ADMIN_API_KEY: 'x'.repeat(32),
        METRICS_TOKEN: 'a-short-secret-token',
      }),
    ).toEqual([
      expect.stringMatching(/^ADMIN_API_KEY: is too weak .* different characters; .*openssl rand -base64 32/),
      expect.stringMatching(/^METRICS_TOKEN: is too weak .* fewer than 24 characters; .*openssl rand/),
    ]);
    expect(problemsOf({ ADMIN_API_KEY: 'x'.repeat(16) })).toEqual([]);
    expect(problemsOf({ NODE_ENV: 'production', ADMIN_API_KEY: strong, METRICS_TOKEN: strong })).toEqual([
      expect.stringMatching(/^METRICS_TOKEN: must not be the ADMIN_API_KEY/),
    ]);
  });

  it('closes /metrics and /docs in production only, unless a setting says otherwise', () => {
    const accessOf = (env: Record<string, string>): string[] => {
      const { service, monitoring } = loadSettings({ ADMIN_API_KEY: strong, ...env });
      return [service.DOCS, monitoring.METRICS];
    };
    expect(accessOf({})).toEqual(['public', 'public']);
    expect(accessOf({ NODE_ENV: 'production' })).toEqual(['admin', 'admin']);
    expect(accessOf({ NODE_ENV: 'production', DOCS: 'public', METRICS: 'off' })).toEqual(['public', 'off']);
  });

  it('does not trust any proxy by default, and never every proxy', () => {
    expect(loadSettings({}).service.TRUST_PROXY).toBe(false);
    expect(problemsOf({ TRUST_PROXY: 'true' })).toEqual([
      expect.stringMatching(/^TRUST_PROXY: "true" is not accepted/),
    ]);
  });

  it('rejects server-side vector search on the embedded store', () => {
    expect(problemsOf({ VECTOR_SEARCH: 'atlas' })).toEqual([
      expect.stringMatching(/^VECTOR_SEARCH: atlas requires .* set MONGODB_URI/),
    ]);
    expect(problemsOf({ VECTOR_SEARCH: 'atlas', MONGODB_URI: 'mongodb://db.example.com' })).toEqual([]);
  });

  it('rejects a pool whose minimum exceeds its maximum', () => {
    expect(problemsOf({ MONGODB_MAX_POOL_SIZE: '5', MONGODB_MIN_POOL_SIZE: '6' })).toEqual([
      expect.stringMatching(/^MONGODB_MIN_POOL_SIZE: 6 must not exceed MONGODB_MAX_POOL_SIZE=5/),
    ]);
  });

  const pipelineOf = (env: Record<string, string>): (number | undefined)[] => {
    const { transcript } = loadSettings(env);
    return [
      transcript.TRANSCRIPT_BATCH_SIZE,
      transcript.TRANSCRIPT_MAX_BATCH_SIZE,
      transcript.TRANSCRIPT_BATCH_TIMEOUT_MS,
      transcript.TRANSCRIPT_MAX_CONCURRENT_BATCHES,
      transcript.EMBEDDING_CONCURRENCY,
      transcript.EMBEDDING_BATCH_SIZE,
    ];
  };

  it.each([
    ['balanced', [10, 64, 30_000, 3, 4, 32]],
    ['throughput', [100, 200, 30_000, 6, 8, 64]],
    ['latency', [5, 32, 50, 6, 8, 8]],
  ])('uses the defaults of the transcript profile %s', (profile, numbers) => {
    expect(pipelineOf({ TRANSCRIPT_PROFILE: profile })).toEqual(numbers);
  });

  it('prefers an explicit setting to that of the profile, which is balanced by default', () => {
    expect(pipelineOf({})).toEqual([10, 64, 30_000, 3, 4, 32]);
    expect(pipelineOf({ TRANSCRIPT_PROFILE: 'latency', TRANSCRIPT_BATCH_SIZE: '7' })).toEqual([
      7, 32, 50, 6, 8, 8,
    ]);
    expect(problemsOf({ TRANSCRIPT_PROFILE: 'fast' })).toEqual([
      expect.stringMatching(/^TRANSCRIPT_PROFILE: "fast" must be balanced, throughput or latency/),
    ]);
    expect(problemsOf({ TRANSCRIPT_PROFILE: 'latency', TRANSCRIPT_BATCH_SIZE: '0' })).toEqual([
      expect.stringMatching(/^TRANSCRIPT_BATCH_SIZE: "0" must be at least 1.*TRANSCRIPT_BATCH_SIZE=5$/),
    ]);
  });

  it('treats empty text as unset', () => {
    expect(loadSettings({ PORT: '' }).service.PORT).toBe(3000);
  });
});

describe('secretsOf', () => {
  it('returns keys and the credentials in URLs, and nothing else', () => {
    const settings = loadSettings({
      ADMIN_API_KEY: 'the-key-of-the-operator',
      OPENAI_API_KEY: 'the-key-of-the-model',
      MONGODB_URI: 'mongodb://ann:p%40ss@db.example:27017/colloquy',
      REDIS_URL: 'redis://:hush@cache.example',
      REDIS_KEY_PREFIX: 'not-a-secret',
      OLLAMA_URL: 'http://model.example:1234',
      SENTRY_DSN: 'https://abcdef@errors.example/3',
    });
    const secrets = ['the-key-of-the-operator', 'the-key-of-the-model', 'p%40ss', 'p@ss', 'hush', 'abcdef'];
    expect(secretsOf(settings).sort()).toEqual(secrets.sort());
  });

  it('has none by default', () => {
    expect(secretsOf(loadSettings({}))).toEqual([]);
  });
});

describe('SENTRY_DSN', () => {
  it.each(['https://abc@o1.ingest.example/42', 'http://abc@127.0.0.1:9000/path/1'])('accepts %s', (dsn) => {
    expect(loadSettings({ SENTRY_DSN: dsn }).monitoring.SENTRY_DSN).toBe(dsn);
  });

  it.each(['https://errors.example/42', 'abc@errors.example/1', 'https://abc@errors.example'])(
    'rejects %s without showing it, because it may contain a key',
    (dsn) => {
      expect(problemsOf({ SENTRY_DSN: dsn })).toEqual([expect.stringMatching(/^SENTRY_DSN: must be a DSN/)]);
    },
  );
});

describe('.env.example', () => {
  it('matches the settings (generated by npm run settings:example)', () => {
    expect(readFileSync(join(process.cwd(), '.env.example'), 'utf8')).toBe(renderEnvExample());
  });

  it('lists every setting with its purpose', () => {
    const text = renderEnvExample();
    for (const group of groupNames)
      for (const [name, { about }] of definitionsOf(group)) {
        expect(text).toMatch(new RegExp(`^#?${name}=`, 'm'));
        expect(about.length).toBeGreaterThan(15);
      }
  });
});
