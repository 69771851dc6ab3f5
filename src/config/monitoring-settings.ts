import { z } from 'zod';
import { hour, integer, ms, notEmpty, sentryDsn, setting } from './setting-definition.js';

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
    '/health/ready says no when the disk of DATA_DIR has less left: nothing can be journaled there any more.',
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
    'off: requests and database commands are not timed; what costs nothing per request is still told.',
    { default: 'on' },
  ),
  SLOW_REQUEST_MS: ms(1000, 1, hour, 'A request that takes longer than this is logged.'),
  SLOW_QUERY_MS: ms(
    100,
    1,
    hour,
    'A database command that takes longer than this is logged, with the plan of its query.',
  ),
} as const;
