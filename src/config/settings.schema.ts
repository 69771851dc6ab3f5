import { z } from 'zod';
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

/** Every setting there is, grouped as `.env.example` shows them. */
export const settingGroups = {
  service: {
    NODE_ENV: setting(
      z.enum(['development', 'production', 'test'], 'must be development, production or test'),
      'In production ADMIN_API_KEY must be set and logs are JSON.',
      { default: 'development' },
    ),
    PORT: count(3000, 0, 65_535, 'Port of the HTTP API; 0 takes a free one.'),
    WORKER_PORT: count(
      3001,
      0,
      65_535,
      'Port of the health probes of the worker (npm run worker); 0 takes a free one.',
    ),
    HOST: setting(z.string().min(1, 'must not be empty'), 'Address to listen on; 0.0.0.0 for all.', {
      default: '127.0.0.1',
    }),
    DATA_DIR: setting(
      z.string().min(1, 'must not be empty'),
      'Folder of the embedded store and of the development admin key. Relative paths start at the working directory.',
      { default: '.data' },
    ),
    LOG_LEVEL: setting(
      z.enum(
        ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
        'must be trace, debug, info, warn, error, fatal or silent',
      ),
      'Least severe level that is logged.',
      { default: 'info' },
    ),
    REQUEST_CONTEXT: setting(
      z.enum(['auto', 'on', 'off'], 'must be auto, on or off'),
      'Whether log lines and reports of deeper code, such as of a slow database command, name the request or job and its tenant. It costs about a quarter of the main thread before Node 24; auto: on from there.',
      { default: 'auto' },
    ),
    LOG_PRETTY: setting(
      boolean.optional(),
      'Logs for people (true) or JSON lines (false). Unset: true on a terminal outside production.',
    ),
    ADMIN_API_KEY: setting(
      z
        .string()
        .min(16, 'must have at least 16 characters')
        .max(256, 'must have at most 256 characters')
        .optional(),
      'Key that manages tenants. Required in production; in development one is made and kept in DATA_DIR when unset.',
    ),
    SHUTDOWN_GRACE_MS: ms(25_000, 0, 600_000, 'Longest time that a shutdown waits for work in flight.'),
    SHUTDOWN_DRAIN_MS: {
      schema: integer(0, 600_000),
      about:
        'At a shutdown requests are still taken for this time, while /health/ready already says no, so that load balancers turn away first. At most half of SHUTDOWN_GRACE_MS, of which it is a part. Unset: 3000 in production, else 0.',
      unit: 'milliseconds',
      byProfile: { setting: 'NODE_ENV', defaults: { development: '0', production: '3000', test: '0' } },
    },
    HTTP_BODY_LIMIT_BYTES: setting(integer(1024, 104_857_600), 'Largest request body.', {
      default: '16777216',
      unit: 'bytes',
    }),
    HTTP_REQUEST_TIMEOUT_MS: ms(
      60_000,
      1000,
      600_000,
      'A request whose body has not arrived by then is closed.',
    ),
    TRUST_PROXY: setting(
      boolean,
      'Take the client address from X-Forwarded-For (only behind a proxy of your own).',
      {
        default: 'false',
      },
    ),
    RATE_LIMIT_PER_MINUTE: count(
      0,
      0,
      10_000_000,
      'Requests that one tenant may send to one process in a minute; 0: no limit.',
    ),
  },
  database: {
    MONGODB_URI: setting(
      mongoUri,
      'MongoDB replica set or sharded cluster. Unset: the embedded store in DATA_DIR. The database is "colloquy" unless named here. Its options win over the defaults of the settings below.',
    ),
    EMBEDDED_MONGO_PORT: setting(
      integer(1, 65_535).optional(),
      'Port of the embedded store on 127.0.0.1, for mongosh and further processes. Unset: a local socket in DATA_DIR.',
    ),
    MONGODB_MAX_POOL_SIZE: orInUri('maxPoolSize', count(50, 1, 10_000, 'Most connections in the pool.')),
    MONGODB_MIN_POOL_SIZE: orInUri(
      'minPoolSize',
      count(10, 0, 10_000, 'Connections that are kept open when idle.'),
    ),
    MONGODB_MAX_IDLE_TIME_MS: orInUri(
      'maxIdleTimeMS',
      ms(30_000, 0, hour, 'A connection above the minimum is closed after this time without use; 0: never.'),
    ),
    MONGODB_SERVER_SELECTION_TIMEOUT_MS: orInUri(
      'serverSelectionTimeoutMS',
      ms(15_000, 100, 600_000, 'Longest wait for a usable server before an operation fails.'),
    ),
    MONGODB_SOCKET_TIMEOUT_MS: orInUri(
      'socketTimeoutMS',
      ms(45_000, 0, hour, 'A connection without an answer for this time is given up; 0: never.'),
    ),
    MONGODB_CONNECT_TIMEOUT_MS: orInUri(
      'connectTimeoutMS',
      ms(10_000, 100, 600_000, 'Longest time for opening a connection.'),
    ),
    MONGODB_HEARTBEAT_MS: orInUri(
      'heartbeatFrequencyMS',
      ms(
        2000,
        500,
        60_000,
        'How often the server is asked whether it lives. One that hangs is given up after this time and MONGODB_CONNECT_TIMEOUT_MS.',
      ),
    ),
    MONGODB_MAX_CONNECTING: orInUri(
      'maxConnecting',
      count(10, 1, 1000, 'Connections that may be opened at the same time.'),
    ),
    MONGODB_WAIT_QUEUE_TIMEOUT_MS: orInUri(
      'waitQueueTimeoutMS',
      ms(10_000, 0, 600_000, 'Longest wait for a free connection of the pool; 0: for ever.'),
    ),
    DATABASE_CONNECT_ATTEMPTS: count(
      5,
      1,
      100,
      'Tries to reach the database at start, with exponential backoff up to 30 s between them.',
    ),
    TRANSACTION_MAX_ATTEMPTS: count(100, 1, 1000, 'Tries of one transaction that meets transient errors.'),
    TRANSACTION_TIMEOUT_MS: ms(30_000, 100, 120_000, 'No new try of a transaction begins after this time.'),
  },
  redis: {
    REDIS_URL: setting(
      redisUrl,
      'Redis that processes share sessions, cache and queues through. Unset: each process works on its own memory and the database.',
    ),
    REDIS_ENABLED: setting(
      boolean,
      'false: REDIS_URL is not used, as if it were unset (a switch to roll back with).',
      { default: 'true' },
    ),
    REDIS_KEY_PREFIX: setting(
      z.string().regex(/^[\w.-]{1,64}$/, 'may hold 1 to 64 letters, digits and _ . -'),
      'Begins every key and channel: one for each deployment that shares a Redis.',
      { default: 'colloquy' },
    ),
    REDIS_COMMAND_TIMEOUT_MS: ms(
      50,
      5,
      10_000,
      'Longest wait for the answer to one command of cache and sessions; after it the work goes on without Redis.',
    ),
    REDIS_CONNECT_TIMEOUT_MS: ms(2000, 50, 60_000, 'Longest time for opening a connection.'),
    REDIS_BREAKER_FAILURES: count(
      5,
      1,
      1000,
      'Commands that fail one after the other before Redis counts as down and is not asked until a probe succeeds.',
    ),
    REDIS_PROBE_INTERVAL_MS: ms(500, 10, 60_000, 'How often a Redis that counts as down is probed.'),
  },
  cache: {
    MAX_CACHE_SIZE: count(
      10_000,
      1,
      10_000_000,
      'Entries in the cache of one process; the least recently used go first.',
    ),
    CACHE_MAX_BYTES: setting(
      integer(65_536, 1_099_511_627_776),
      'Estimated memory of these entries; the least recently used go first.',
      { default: '67108864', unit: 'bytes' },
    ),
    CACHE_LOCAL_TTL_MS: ms(
      5000,
      1,
      hour,
      'Longest time that a process answers from its own memory: how long a change may stay unseen there when the message of it is lost.',
    ),
    CACHE_LOAD_LOCK_MS: ms(
      10_000,
      100,
      600_000,
      'Longest time that one process may load an entry while the others wait for it.',
    ),
    CACHE_LOAD_WAIT_MS: ms(
      2000,
      0,
      60_000,
      'Longest wait for an entry that another process loads; after it the entry is loaded here too.',
    ),
  },
  session: {
    SESSION_MEMORY_PROFILE: setting(
      z.enum(['default', 'lean', 'minimal'], 'must be default, lean or minimal'),
      'Bounds of the sessions in the memory of one process: default 1000 and 64 MiB, lean 250 and 16 MiB, minimal 50 and 4 MiB.',
      { default: 'default' },
    ),
    MAX_ACTIVE_SESSIONS: setting(
      integer(1, 10_000_000).optional(),
      'Sessions held in the memory of one process; the least recently used go first. Unset: as SESSION_MEMORY_PROFILE says.',
    ),
    SESSION_MEMORY_BYTES: setting(
      integer(1_048_576, 1_099_511_627_776).optional(),
      'Estimated memory of these sessions; the least recently used go first. Unset: as SESSION_MEMORY_PROFILE says.',
      { unit: 'bytes' },
    ),
    SESSION_IDLE_TTL_MS: ms(
      hour,
      1000,
      30 * 24 * hour,
      'A session without use for this time leaves the memory of the process.',
    ),
    SESSION_CLEANUP_INTERVAL_MS: ms(
      60_000,
      100,
      24 * hour,
      'How often expired sessions are swept from memory.',
    ),
    SESSION_TTL_HOURS: setting(
      integer(1, 8760),
      'A session stays in Redis for this time after its last use, sliding.',
      {
        default: '2',
        unit: 'hours',
      },
    ),
    SESSION_RETENTION_DAYS: setting(
      integer(1, 3650),
      'A stored session without use for this time is deleted.',
      {
        default: '30',
        unit: 'days',
      },
    ),
  },
  queue: {
    WORKERS: setting(
      z.enum(['on', 'off'], 'must be on or off'),
      'off: the API stores jobs and transcripts and leaves their work to processes of their own (npm run worker), which always do it.',
      { default: 'on' },
    ),
  },
  transcript: transcriptSettings,
  processing: {
    MESSAGE_PROCESSOR_TIMEOUT: ms(
      30_000,
      10,
      600_000,
      'Longest time that a responder may take for one reply.',
    ),
    HTTP_RESPONDER_ATTEMPTS: count(
      3,
      1,
      10,
      "Tries of a tenant's responder endpoint that answers 5xx or not at all.",
    ),
    SUMMARIZER: setting(
      z.enum(['extractive', 'responder'], 'must be extractive or responder'),
      "What sums up closed conversations: extractive takes what was said; responder asks the tenant's responder where it can.",
      { default: 'extractive' },
    ),
    HTTP_RESPONDER_ALLOW_PRIVATE: setting(
      boolean,
      "Let tenants' responder endpoints be on loopback, link-local and private addresses.",
      { default: 'false' },
    ),
  },
  monitoring: monitoringSettings,
} as const;

export type SettingGroups = typeof settingGroups;
export type GroupName = keyof SettingGroups;

export const groupNames = Object.keys(settingGroups) as GroupName[];

/** The definitions of one group, for code that walks over all of them. */
export const definitionsOf = (group: GroupName): [string, SettingDefinition][] =>
  Object.entries<SettingDefinition>(settingGroups[group]);

type Output<Definition> = Definition extends SettingDefinition<infer Schema> ? z.output<Schema> : never;

/** The values of one group, typed. */
export type GroupSettings<Name extends GroupName> = {
  readonly [Key in keyof SettingGroups[Name]]: Output<SettingGroups[Name][Key]>;
};

/** All settings of the process by group. */
export type Settings = { readonly [Name in GroupName]: GroupSettings<Name> };
