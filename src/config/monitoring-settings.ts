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

/** What health checks, error reports and timings go by; a group of `settingGroups`. */
export const monitoringSettings = {
  HEALTH_CHECK_TIMEOUT_MS: ms(
    2000,
    50,
    60_000,
    'A health check without an answer by then counts as failed; one that can only degrade, by half of it.',
  ),
  HEALTH_EVENT_LOOP_MAX_DELAY_MS: ms(
    5000,
    100,
    600_000,
    '/health/live says no when every turn of the event loop is late by this much for some seconds.',
  ),
  HEALTH_BACKLOG_MAX_AGE_MS: ms(
    300_000,
    100,
    24 * hour,
    '/health/ready says degraded, not down, when a job or transcript has been waiting for longer.',
  ),
  HEALTH_DISK_MIN_BYTES: setting(
    integer(0, 1_099_511_627_776),
    '/health/ready says degraded when the disk of DATA_DIR has less left.',
    { default: '536870912', unit: 'bytes' },
  ),
  HEALTH_DISK_CRITICAL_BYTES: setting(
    integer(0, 1_099_511_627_776),
    '/health/ready says no when the disk of DATA_DIR has less left: the embedded store can write nothing there any more.',
    { default: '67108864', unit: 'bytes' },
  ),
  SENTRY_DSN: setting(
    sentryDsn,
    'Where errors are reported: the DSN of a project of Sentry or of a server that speaks its protocol. Unset: nowhere.',
  ),
  SENTRY_ENVIRONMENT: setting(
    notEmpty.optional(),
    'Environment that reports are filed under. Unset: the value of NODE_ENV.',
  ),
  SENTRY_RELEASE: setting(
    notEmpty.optional(),
    'Release that reports are filed under. Unset: colloquy@ and the version of this program.',
  ),
  MONITORING: setting(
    z.enum(['on', 'off'], 'must be on or off'),
    'off: requests and database commands are not timed, and no alert is raised; what costs nothing per request is still told.',
    { default: 'on' },
  ),
  SLOW_REQUEST_MS: ms(1000, 1, hour, 'A request that takes longer than this is logged.'),
  SLOW_QUERY_MS: ms(
    100,
    1,
    hour,
    'A database command that takes longer than this is logged, with the plan of its query.',
  ),
  ALERT_HOLD_MS: ms(
    30_000,
    100,
    hour,
    'An alert begins when something was beyond its limit for this time without a pause, and ends when it was well within for as long. Looked at every 10 s at least.',
  ),
  ALERT_ERROR_RATIO: alertAbove(
    '0.02,0.1',
    1,
    'Alert when this share of the requests of the last minute was answered 5xx: warning,critical; or off.',
  ),
  ALERT_REQUEST_P95_MS: alertAbove(
    '1000,5000',
    hour,
    'Alert when 5 % of the requests of the last minute took longer: warning,critical; or off.',
    'milliseconds',
  ),
  ALERT_DATABASE_P95_MS: alertAbove(
    '100,1000',
    hour,
    'Alert when 5 % of the database commands of the last minute took longer: warning,critical; or off.',
    'milliseconds',
  ),
  ALERT_POOL_WAITING: alertAbove(
    '10,100',
    1_000_000,
    'Alert when more operations than this wait for a connection of the database pool: warning,critical; or off.',
  ),
  ALERT_CACHE_HIT_RATIO: alertBelow(
    '0.5,0',
    1,
    'Alert when less than this share of the lookups of the last minute was in the cache: warning,critical; or off. 0 is never reached.',
  ),
  ALERT_BACKLOG_AGE_MS: alertAbove(
    '300000,1800000',
    30 * 24 * hour,
    'Alert when a job of a queue, or a transcript, has been waiting for longer: warning,critical; or off.',
    'milliseconds',
  ),
  ALERT_MEMORY_RATIO: alertAbove(
    '0.85,0.95',
    1,
    'Alert when this share of the largest heap, or of the memory that the process may have, is in use: warning,critical; or off.',
  ),
  ALERT_EVENT_LOOP_LAG_MS: alertAbove(
    '200,1000',
    hour,
    'Alert when the event loop was late by more in 1 % of its turns: warning,critical; or off.',
    'milliseconds',
  ),
  ALERT_WEBHOOK_URL: setting(
    httpUrl.optional(),
    'Address that alerts are posted to as JSON when they begin, get worse and end. Unset: nowhere.',
  ),
  ALERT_WEBHOOK_SECRET: setting(
    z
      .string()
      .min(16, 'must have at least 16 characters')
      .max(256, 'must have at most 256 characters')
      .optional(),
    'Signs what is posted to ALERT_WEBHOOK_URL, as requests to HTTP responders are signed.',
  ),
} as const;
