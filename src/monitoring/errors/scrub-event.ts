import type { ErrorEvent, Exception, StackFrame } from '@sentry/node';
import { type Redactor, withoutQuotations } from '../../logging/index.js';

const MAX_TEXT = 4000;

/** Where code ran: no source lines, no values of variables. */
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
    ...(value !== undefined && { value: redact(withoutQuotations(value)).slice(0, MAX_TEXT) }),
    ...(mechanism !== undefined && { mechanism: { type: mechanism.type, ...linkOf(mechanism) } }),
    ...(stacktrace?.frames && { stacktrace: { frames: stacktrace.frames.map(scrubFrame) } }),
  };
}

/** Which exception an exception is the cause of, as Sentry draws chains. */
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
 * An event reduced to the fields that are known to hold no data of tenants: a field that the SDK adds some day stays here. Texts are searched
 * for secrets. There is no request, user, breadcrumb or extra.
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
    ...(event.message !== undefined && { message: redact(event.message).slice(0, MAX_TEXT) }),
    ...(event.tags && { tags: scrubTags(event.tags, redact) }),
    contexts: { ...(runtime && { runtime }), ...(os && { os }), ...(trace && { trace }) },
    ...(event.exception?.values && {
      exception: { values: event.exception.values.map((one) => scrubException(one, redact)) },
    }),
  };
}
