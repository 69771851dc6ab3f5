import { z } from 'zod';
import { parseSecretKeys } from '../common/index.js';
import { archiveSettings } from './archive-settings.js';
import { monitoringSettings } from './monitoring-settings.js';
import {
  boolean,
  count,
  hour,
  integer,
  mongoUri,
  ms,
  orInUri,
  redisUrl,
  setting,
  type SettingDefinition,
} from './setting-definition.js';
import { transcriptSettings } from './transcript-settings.js';
import { planLimits } from './plans.js';
import { trustProxy } from './trust-proxy.js';

/** All settings, grouped as in `.env.example`. */
export const settingGroups = {
  service: {
    NODE_ENV: setting(
      z.enum(['development', 'production', 'test'], 'must be development, production or test'),
      'In production, a strong ADMIN_API_KEY is required, /metrics and /docs need it, and logs are JSON.',
      { default: 'development' },
    ),
    PORT: count(3000, 0, 65_535, 'Port of the HTTP API; 0 selects a free one.'),
    WORKER_PORT: count(
      3001,
      0,
      65_535,
      "Port of the worker's health probes (npm run worker); 0 selects a free one.",
    ),
    HOST: setting(
      z.string().min(1, 'must not be empty'),
      'Address to listen on; 0.0.0.0 for all interfaces.',
      {
        default: '127.0.0.1',
      },
    ),
    DATA_DIR: setting(
      z.string().min(1, 'must not be empty'),
      'Directory of the embedded store and the development admin key. At start it is made accessible to the user of the service alone. Relative paths are resolved from the working directory.',
      { default: '.data' },
    ),
    LOG_LEVEL: setting(
      z.enum(
        ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
        'must be trace, debug, info, warn, error, fatal or silent',
      ),
      'Minimum severity that is logged.',
      { default: 'info' },
    ),
    REQUEST_CONTEXT: setting(
      z.enum(['auto', 'on', 'off'], 'must be auto, on or off'),
      'Whether log lines and error reports of lower-level code, for example about a slow database command, include the request or job and its tenant. Before Node 24 this costs about a quarter of the main thread. auto: on with Node 24 or later.',
      { default: 'auto' },
    ),
    LOG_PRETTY: setting(
      boolean.optional(),
      'Human-readable logs (true) or JSON lines (false). Unset: true on a terminal outside production.',
    ),
    ADMIN_API_KEY: setting(
      z
        .string()
        .min(16, 'must have at least 16 characters')
        .max(256, 'must have at most 256 characters')
        .optional(),
      'API key for managing tenants. Required in production, where weak keys are refused; make one with: openssl rand -base64 32. In development, a key is generated and stored in DATA_DIR when unset.',
    ),
    SECRETS_KEY: setting(
      z
        .string()
        .refine(
          (text) => parseSecretKeys(text) !== undefined,
          'must be 32 bytes as base64, or several such keys separated by commas; make one with: openssl rand -base64 32',
        )
        .optional(),
      'Key with which secrets of tenants, such as the signing secret of a responder, are encrypted in the database. Make one with: openssl rand -base64 32. Several, separated by commas: the first encrypts, the others only decrypt, so that keys can be rotated. Unset: secrets are stored as they are.',
    ),
    SHUTDOWN_GRACE_MS: ms(25_000, 0, 600_000, 'Maximum time that a shutdown waits for work in progress.'),
    SHUTDOWN_DRAIN_MS: {
      schema: integer(0, 600_000),
      about:
        'During a shutdown, requests are accepted for this long while /health/ready already fails, so that load balancers can stop sending requests. Part of SHUTDOWN_GRACE_MS, and limited to half of it. Unset: 3000 in production, otherwise 0.',
      unit: 'milliseconds',
      byProfile: { setting: 'NODE_ENV', defaults: { development: '0', production: '3000', test: '0' } },
    },
    HTTP_BODY_LIMIT_BYTES: setting(integer(1024, 104_857_600), 'Maximum size of a request body.', {
      default: '16777216',
      unit: 'bytes',
    }),
    HTTP_REQUEST_TIMEOUT_MS: ms(
      60_000,
      1000,
      600_000,
      'Maximum time for receiving a whole request; after that its connection is closed.',
    ),
    HTTP_IDLE_TIMEOUT_MS: ms(
      60_000,
      1000,
      600_000,
      'A connection is closed after this time if its client does not read what was sent, or sends no request. Requests that are being processed are not affected.',
    ),
    HTTP_MAX_CONNECTIONS: count(
      10_000,
      0,
      1_000_000,
      'Maximum number of connections to one process; more are closed at once. 0: no limit.',
    ),
    HTTP_MAX_CONNECTIONS_PER_ADDRESS: count(
      1000,
      0,
      1_000_000,
      'Maximum number of connections from one address (IPv6: one /56 network) to one process; more get 429. Has no effect with TRUST_PROXY, because all connections then come from the proxy. 0: no limit.',
    ),
    TRUST_PROXY: setting(
      trustProxy,
      'Which proxies are believed about the address, protocol and host of the client (X-Forwarded-For, -Proto, -Host): how many there are in front of this service, for example 1, or their networks, for example 10.0.0.0/8,192.0.2.7 or loopback; off: none. Networks are safer, because with a number a client that reaches the service without the proxy is believed.',
      { default: 'off' },
    ),
    DOCS: {
      schema: z.enum(['public', 'admin', 'off'], 'must be public, admin or off'),
      about:
        'Who can read the API description at /docs: anyone, operators, or nobody. Unset: admin in production, otherwise public.',
      byProfile: {
        setting: 'NODE_ENV',
        defaults: { development: 'public', production: 'admin', test: 'public' },
      },
    },
    WRONG_KEYS_PER_MINUTE: count(
      20,
      0,
      1_000_000,
      'Number of wrong keys per minute from one address to one process after which unknown keys from that address get 429. Valid keys of tenants are never affected. 0: no limit.',
    ),
    RATE_LIMIT_PER_MINUTE: count(
      0,
      0,
      10_000_000,
      'Maximum number of requests per minute from one tenant to one process; 0: no limit.',
    ),
    QUOTA_STORAGE_BYTES: setting(
      planLimits,
      'How much a tenant may store, in bytes, by plan, for example free=1073741824,pro=53687091200. Plans that are not named have no limit.',
      { default: '' },
    ),
    QUOTA_DOCUMENTS: setting(
      planLimits,
      'How many documents a tenant may store, by plan, for example free=100000. Each message, conversation, session, transcript and job is one.',
      { default: '' },
    ),
  },
  database: {
    MONGODB_URI: setting(
      mongoUri,
      'MongoDB replica set or sharded cluster. Unset: the embedded store in DATA_DIR. The database is "colloquy" unless this names another one. Options in the connection string take precedence over the defaults of the settings below.',
    ),
    EMBEDDED_MONGO_PORT: setting(
      integer(1, 65_535).optional(),
      'Port of the embedded store on 127.0.0.1, for mongosh and other processes. Unset: the store listens on no port, only on a local socket in DATA_DIR that no other user can open.',
    ),
    MONGODB_MAX_POOL_SIZE: orInUri(
      'maxPoolSize',
      count(50, 1, 10_000, 'Maximum number of connections in the pool.'),
    ),
    MONGODB_MIN_POOL_SIZE: orInUri(
      'minPoolSize',
      count(10, 0, 10_000, 'Number of connections that are kept open when idle.'),
    ),
    MONGODB_MAX_IDLE_TIME_MS: orInUri(
      'maxIdleTimeMS',
      ms(
        30_000,
        0,
        hour,
        'Connections above the minimum are closed after being idle for this time; 0: never.',
      ),
    ),
    MONGODB_SERVER_SELECTION_TIMEOUT_MS: orInUri(
      'serverSelectionTimeoutMS',
      ms(15_000, 100, 600_000, 'Maximum time that an operation waits for a usable server before it fails.'),
    ),
    MONGODB_SOCKET_TIMEOUT_MS: orInUri(
      'socketTimeoutMS',
      ms(45_000, 0, hour, 'A connection that receives no response for this time is closed; 0: never.'),
    ),
    MONGODB_CONNECT_TIMEOUT_MS: orInUri(
      'connectTimeoutMS',
      ms(10_000, 100, 600_000, 'Maximum time for opening a connection.'),
    ),
    MONGODB_HEARTBEAT_MS: orInUri(
      'heartbeatFrequencyMS',
      ms(
        2000,
        500,
        60_000,
        'Interval between health checks of the server. A server that hangs is detected after this time plus MONGODB_CONNECT_TIMEOUT_MS.',
      ),
    ),
    MONGODB_MAX_CONNECTING: orInUri(
      'maxConnecting',
      count(10, 1, 1000, 'Maximum number of connections being opened at the same time.'),
    ),
    MONGODB_WAIT_QUEUE_TIMEOUT_MS: orInUri(
      'waitQueueTimeoutMS',
      ms(
        10_000,
        0,
        600_000,
        'Maximum time that an operation waits for a connection from the pool; 0: no limit.',
      ),
    ),
    DATABASE_CONNECT_ATTEMPTS: count(
      5,
      1,
      100,
      'Maximum number of attempts to reach the database at start, with exponential backoff of up to 30 s between them.',
    ),
    TRANSACTION_MAX_ATTEMPTS: count(
      100,
      1,
      1000,
      'Maximum number of attempts for a transaction that fails with transient errors.',
    ),
    TRANSACTION_TIMEOUT_MS: ms(
      30_000,
      100,
      120_000,
      'No new attempt of a transaction starts after this time.',
    ),
  },
  redis: {
    REDIS_URL: setting(
      redisUrl,
      'Redis through which processes share sessions, cache and queues. Unset: each process uses its own memory and the database.',
    ),
    REDIS_ENABLED: setting(
      boolean,
      'false: REDIS_URL is ignored, as if it were unset. Useful for a rollback.',
      { default: 'true' },
    ),
    REDIS_KEY_PREFIX: setting(
      z.string().regex(/^[\w.-]{1,64}$/, 'must be 1 to 64 characters: letters, digits, _ . or -'),
      'Prefix of every key and channel. Each deployment that shares a Redis needs its own.',
      { default: 'colloquy' },
    ),
    REDIS_COMMAND_TIMEOUT_MS: ms(
      50,
      5,
      10_000,
      'Maximum time for one Redis command of the cache or sessions. After that, the operation continues without Redis.',
    ),
    REDIS_CONNECT_TIMEOUT_MS: ms(2000, 50, 60_000, 'Maximum time for opening a connection.'),
    REDIS_BREAKER_FAILURES: count(
      5,
      1,
      1000,
      'Number of consecutive failed commands after which Redis is considered down and not used until a probe succeeds.',
    ),
    REDIS_PROBE_INTERVAL_MS: ms(
      500,
      10,
      60_000,
      'Interval between probes of a Redis that is considered down.',
    ),
  },
  cache: {
    MAX_CACHE_SIZE: count(
      10_000,
      1,
      10_000_000,
      'Maximum number of entries in the cache of one process; the least recently used are evicted first.',
    ),
    CACHE_MAX_BYTES: setting(
      integer(65_536, 1_099_511_627_776),
      'Maximum estimated memory of these entries; the least recently used are evicted first.',
      { default: '67108864', unit: 'bytes' },
    ),
    CACHE_LOCAL_TTL_MS: ms(
      5000,
      1,
      hour,
      'Maximum time for which a process serves an entry from its own memory. This limits how long it can serve an outdated value when an invalidation message is lost.',
    ),
    CACHE_LOAD_LOCK_MS: ms(
      10_000,
      100,
      600_000,
      'Maximum time for which one process may load an entry while others wait for it.',
    ),
    CACHE_LOAD_WAIT_MS: ms(
      2000,
      0,
      60_000,
      'Maximum time to wait for an entry that another process is loading. After that, this process loads it too.',
    ),
  },
  session: {
    SESSION_MEMORY_PROFILE: setting(
      z.enum(['default', 'lean', 'minimal'], 'must be default, lean or minimal'),
      'Limits for the sessions in the memory of one process: default 1000 and 64 MiB, lean 250 and 16 MiB, minimal 50 and 4 MiB.',
      { default: 'default' },
    ),
    MAX_ACTIVE_SESSIONS: setting(
      integer(1, 10_000_000).optional(),
      'Maximum number of sessions in the memory of one process; the least recently used are evicted first. Unset: depends on SESSION_MEMORY_PROFILE.',
    ),
    SESSION_MEMORY_BYTES: setting(
      integer(1_048_576, 1_099_511_627_776).optional(),
      'Maximum estimated memory of these sessions; the least recently used are evicted first. Unset: depends on SESSION_MEMORY_PROFILE.',
      { unit: 'bytes' },
    ),
    SESSION_IDLE_TTL_MS: ms(
      hour,
      1000,
      30 * 24 * hour,
      'A session that is not used for this time is evicted from the memory of the process.',
    ),
    SESSION_CLEANUP_INTERVAL_MS: ms(
      60_000,
      100,
      24 * hour,
      'Interval at which expired sessions are removed from memory.',
    ),
    SESSION_TTL_HOURS: setting(
      integer(1, 8760),
      'A session expires from Redis this long after its last use.',
      {
        default: '2',
        unit: 'hours',
      },
    ),
    SESSION_RETENTION_DAYS: setting(
      integer(1, 3650),
      'A stored session is deleted this long after its last change. Reading it is no change.',
      {
        default: '30',
        unit: 'days',
      },
    ),
  },
  queue: {
    WORKERS: setting(
      z.enum(['on', 'off'], 'must be on or off'),
      'off: the API only stores jobs and transcripts, and separate worker processes (npm run worker) process them. Workers always process them.',
      { default: 'on' },
    ),
  },
  transcript: transcriptSettings,
  processing: {
    MESSAGE_PROCESSOR_TIMEOUT: ms(
      30_000,
      10,
      600_000,
      'Maximum time that a responder may take for one reply.',
    ),
    HTTP_RESPONDER_ATTEMPTS: count(
      3,
      1,
      10,
      "Maximum number of attempts when a tenant's responder endpoint returns 5xx, or 429 with Retry-After, or does not respond.",
    ),
    RESPONDER_MAX_CONCURRENT: count(
      512,
      1,
      100_000,
      'Maximum number of messages of one tenant that wait for its responder at the same time, per process. Further ones are stored without a reply and get 503 with Retry-After. Built-in goals are not counted. The same number of conversations of a tenant wait for further messages (debounceMs).',
    ),
    SUMMARIZER: setting(
      z.enum(['extractive', 'responder'], 'must be extractive or responder'),
      "How closed conversations are summarized. extractive: from the messages themselves; responder: by the tenant's responder, if it supports that.",
      { default: 'extractive' },
    ),
    HTTP_RESPONDER_ALLOW_PRIVATE: setting(
      boolean,
      "Allow tenants' responder endpoints on loopback and private addresses. Link-local addresses and those at which clouds serve credentials are always refused.",
      { default: 'false' },
    ),
  },
  archive: archiveSettings,
  monitoring: monitoringSettings,
} as const;

export type SettingGroups = typeof settingGroups;
export type GroupName = keyof SettingGroups;

export const groupNames = Object.keys(settingGroups) as GroupName[];

/** The definitions of one group, for code that iterates over all of them. */
export const definitionsOf = (group: GroupName): [string, SettingDefinition][] =>
  Object.entries<SettingDefinition>(settingGroups[group]);

type Output<Definition> = Definition extends SettingDefinition<infer Schema> ? z.output<Schema> : never;

/** The typed values of one group. */
export type GroupSettings<Name extends GroupName> = {
  readonly [Key in keyof SettingGroups[Name]]: Output<SettingGroups[Name][Key]>;
};

/** All settings of the process, by group. */
export type Settings = { readonly [Name in GroupName]: GroupSettings<Name> };
