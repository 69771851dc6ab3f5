import type { ErrorEvent, Exception, StackFrame } from '@sentry/node';
import { beginningOf } from '../../common/index.js';
import { type Redactor, withoutQuotations } from '../../logging/index.js';

const MAX_TEXT = 4000;

/** Keeps the location of code, without source lines and values of variables. */
function scrubFrame({ filename, function: name, module, lineno, colno, in_app }: StackFrame): StackFrame {
  return {
    ...(filename !== undefined && { filename }),
    ...(name !== undefined && { function: name }),
    ...(module !== undefined && { module }),
    ...(lineno !== undefined && { lineno }),
    ...(colno !== undefined && { colno }),
    ...(in_app !== undefined && { in_app }),
  };
}

function scrubException({ type, value, mechanism, stacktrace }: Exception, redact: Redactor): Exception {
  return {
    ...(type !== undefined && { type }),
    ...(value !== undefined && { value: beginningOf(redact(withoutQuotations(value)), MAX_TEXT) }),
    ...(mechanism !== undefined && { mechanism: { type: mechanism.type, ...linkOf(mechanism) } }),
    ...(stacktrace?.frames && { stacktrace: { frames: stacktrace.frames.map(scrubFrame) } }),
  };
}

/** The links between an exception and its causes, in Sentry's format. */
const linkOf = (mechanism: NonNullable<Exception['mechanism']>): object =>
  Object.fromEntries(
    (['handled', 'source', 'exception_id', 'parent_id', 'is_exception_group'] as const)
      .filter((name) => mechanism[name] !== undefined)
      .map((name) => [name, mechanism[name]]),
  );

type Tags = NonNullable<ErrorEvent['tags']>;

const scrubTags = (tags: Tags, redact: Redactor): Tags =>
  Object.fromEntries(
    Object.entries(tags).map(([name, value]) => [name, typeof value === 'string' ? redact(value) : value]),
  );

/**
 * Reduces an event to the fields that are known to contain no tenant data. Fields that a later version of the
 * SDK adds are therefore not sent. Texts are searched for secrets. Request, user, breadcrumbs and extra data
 * are not included.
 */
export function scrubEvent(event: ErrorEvent, redact: Redactor): ErrorEvent {
  const { event_id, timestamp, level, platform, environment, release, server_name, sdk, fingerprint } = event;
  const { runtime, os, trace } = event.contexts ?? {};
  return {
    type: undefined,
    ...(event_id !== undefined && { event_id }),
    ...(timestamp !== undefined && { timestamp }),
    ...(level !== undefined && { level }),
    ...(platform !== undefined && { platform }),
    ...(environment !== undefined && { environment }),
    ...(release !== undefined && { release }),
    ...(server_name !== undefined && { server_name }),
    ...(sdk !== undefined && { sdk }),
    ...(fingerprint !== undefined && { fingerprint: fingerprint.map(redact) }),
    ...(event.message !== undefined && { message: redact(beginningOf(event.message, MAX_TEXT)) }),
    ...(event.tags && { tags: scrubTags(event.tags, redact) }),
    contexts: { ...(runtime && { runtime }), ...(os && { os }), ...(trace && { trace }) },
    ...(event.exception?.values && {
      exception: { values: event.exception.values.map((one) => scrubException(one, redact)) },
    }),
  };
}
