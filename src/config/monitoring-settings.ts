import { z } from 'zod';
import {
  alertAbove,
  alertBelow,
  hour,
  httpUrl,
  integer,
  ms,
  notEmpty,
  sentryDsn,
  setting,
} from './setting-definition.js';

/** Settings of health checks, error reports, timings and alerts; a group of `settingGroups`. */
export const monitoringSettings = {
  METRICS: {
    schema: z.enum(['public', 'admin', 'off'], 'must be public, admin or off'),
    about:
      'Who can read /metrics: anyone, or only with METRICS_TOKEN or the admin key, or nobody. Unset: admin in production, otherwise public.',
    byProfile: {
      setting: 'NODE_ENV',
      defaults: { development: 'public', production: 'admin', test: 'public' },
    },
  },
  METRICS_TOKEN: setting(
    z
      .string()
      .min(16, 'must have at least 16 characters')
      .max(256, 'must have at most 256 characters')
      .regex(/^\S+$/, 'must not contain spaces')
      .optional(),
    'Token with which Prometheus reads /metrics, sent as "Authorization: Bearer <token>". It gives access to nothing else. When it is set, /metrics needs it (or the admin key) even if METRICS=public. Weak tokens are refused in production.',
  ),
  HEALTH_CHECK_TIMEOUT_MS: ms(
    2000,
    50,
    60_000,
    'A health check fails when it takes longer than this. A check that can only report degraded has half of this time.',
  ),
  HEALTH_EVENT_LOOP_MAX_DELAY_MS: ms(
    5000,
    100,
    600_000,
    '/health/live fails when every turn of the event loop is delayed by this much for several seconds.',
  ),
  HEALTH_BACKLOG_MAX_AGE_MS: ms(
    300_000,
    100,
    24 * hour,
    '/health/ready reports degraded, not down, when a job or transcript has been waiting longer than this.',
  ),
  HEALTH_DISK_MIN_BYTES: setting(
    integer(0, 1_099_511_627_776),
    '/health/ready reports degraded when the disk of DATA_DIR has less free space than this.',
    { default: '536870912', unit: 'bytes' },
  ),
  HEALTH_DISK_CRITICAL_BYTES: setting(
    integer(0, 1_099_511_627_776),
    '/health/ready fails when the disk of DATA_DIR has less free space than this, because the embedded store can no longer write there.',
    { default: '67108864', unit: 'bytes' },
  ),
  SENTRY_DSN: setting(
    sentryDsn,
    'DSN of the project to which errors are reported, on Sentry or a server that is compatible with it. Unset: errors are not reported.',
  ),
  SENTRY_ENVIRONMENT: setting(
    notEmpty.optional(),
    'Environment name in error reports. Unset: the value of NODE_ENV.',
  ),
  SENTRY_RELEASE: setting(
    notEmpty.optional(),
    'Release name in error reports. Unset: colloquy@ followed by the version of this program.',
  ),
  MONITORING: setting(
    z.enum(['on', 'off'], 'must be on or off'),
    'off: requests and database commands are not timed, and no alerts are raised. Metrics that cost nothing per request remain available.',
    { default: 'on' },
  ),
  SLOW_REQUEST_MS: ms(1000, 1, hour, 'Requests that take longer than this are logged.'),
  SLOW_QUERY_MS: ms(
    100,
    1,
    hour,
    'Database commands that take longer than this are logged, with their query plan.',
  ),
  ALERT_HOLD_MS: ms(
    30_000,
    100,
    hour,
    'An alert starts when a value has exceeded its limit for this time without interruption, and ends when the value has been well within the limit for as long. Values are checked at least every 10 s.',
  ),
  ALERT_ERROR_RATIO: alertAbove(
    '0.02,0.1',
    1,
    'Alert when this share of the requests of the last minute received a 5xx response. Format: warning,critical; or off.',
  ),
  ALERT_REQUEST_P95_MS: alertAbove(
    '1000,5000',
    hour,
    'Alert when 5 % of the requests of the last minute took longer than this. Format: warning,critical; or off.',
    'milliseconds',
  ),
  ALERT_DATABASE_P95_MS: alertAbove(
    '100,1000',
    hour,
    'Alert when 5 % of the database commands of the last minute took longer than this. Format: warning,critical; or off.',
    'milliseconds',
  ),
  ALERT_POOL_WAITING: alertAbove(
    '10,100',
    1_000_000,
    'Alert when more operations than this are waiting for a connection from the database pool. Format: warning,critical; or off.',
  ),
  ALERT_CACHE_HIT_RATIO: alertBelow(
    '0.5,0',
    1,
    'Alert when the cache hit ratio of the last minute is below this. Format: warning,critical; or off. A limit of 0 never triggers.',
  ),
  ALERT_BACKLOG_AGE_MS: alertAbove(
    '300000,1800000',
    30 * 24 * hour,
    'Alert when a job or transcript has been waiting longer than this. Format: warning,critical; or off.',
    'milliseconds',
  ),
  ALERT_MEMORY_RATIO: alertAbove(
    '0.85,0.95',
    1,
    'Alert when this share of the maximum heap size, or of the memory available to the process, is in use. Format: warning,critical; or off.',
  ),
  ALERT_EVENT_LOOP_LAG_MS: alertAbove(
    '200,1000',
    hour,
    'Alert when 1 % of the event loop turns were delayed by more than this. Format: warning,critical; or off.',
    'milliseconds',
  ),
  ALERT_WEBHOOK_URL: setting(
    httpUrl.optional(),
    'URL to which alerts are posted as JSON when they start, get worse and end. Unset: alerts are not posted.',
  ),
  ALERT_WEBHOOK_SECRET: setting(
    z
      .string()
      .min(16, 'must have at least 16 characters')
      .max(256, 'must have at most 256 characters')
      .optional(),
    'Secret for signing the posts to ALERT_WEBHOOK_URL, in the same way as requests to HTTP responders.',
  ),
} as const;
