import type * as SentrySdk from '@sentry/node';
import { programVersion, secretsOf, type Settings } from '../../config/index.js';
import {
  createErrorId,
  createRedactor,
  currentContext,
  type ErrorReporter,
  type ReportDetails,
  silentReporter,
} from '../../logging/index.js';
import { ReportThrottle } from './report-throttle.js';
import { scrubEvent } from './scrub-event.js';

type Sentry = typeof SentrySdk;

/** Converts a thrown value that is not an error: keeps a string, and otherwise only names the type. */
const asError = (thrown: unknown): Error => {
  if (thrown instanceof Error) return thrown;
  const text = typeof thrown === 'string' ? thrown : `A value of type ${typeof thrown} was thrown.`;
  const error = new Error(text);
  error.name = 'NonError';
  return error;
};

/** Sends reports through the Sentry SDK, which `startErrorReports` has initialized. */
class SentryReporter implements ErrorReporter {
  constructor(
    private readonly sentry: Sentry,
    private readonly throttle: ReportThrottle,
  ) {}

  report(error: unknown, details: ReportDetails = {}): string {
    return this.send(details, (hint) => this.sentry.captureException(asError(error), hint));
  }

  notify(message: string, details: ReportDetails = {}): string {
    return this.send(details, (hint) => this.sentry.captureEvent({ message }, hint));
  }

  async flush(timeoutMs: number): Promise<boolean> {
    try {
      return await this.sentry.flush(timeoutMs);
    } catch {
      return false;
    }
  }

  private send(
    { level = 'error', tags, throttle }: ReportDetails,
    capture: (hint: SentrySdk.EventHint) => void,
  ): string {
    const id = createErrorId();
    try {
      const omitted = this.throttle.admit(throttle);
      if (omitted === undefined) return id;
      const { requestId, tenantId, route } = currentContext() ?? {};
      const all = { requestId, tenantId, route, ...tags, ...(omitted > 0 && { omitted }) };
      const known = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
      capture({ event_id: id, captureContext: { level, tags: known } });
    } catch {
      // A failure to report must not cause another error. The original error is in the log.
    }
    return id;
  }
}

/**
 * The few SDK integrations that are used. Those for HTTP and frameworks would cost most of the throughput.
 * Those for breadcrumbs, source lines and variables would collect message contents. This program reports
 * unhandled errors itself.
 */
const integrationsOf = (sentry: Sentry): NonNullable<SentrySdk.NodeOptions['integrations']> => [
  sentry.linkedErrorsIntegration(),
  sentry.nodeContextIntegration(),
];

/**
 * Initializes error reports to SENTRY_DSN. Without one, returns a reporter that sends nothing and does not
 * load the SDK. Must be called once per process.
 */
export async function startErrorReports(settings: Settings): Promise<ErrorReporter> {
  const { SENTRY_DSN, SENTRY_ENVIRONMENT, SENTRY_RELEASE } = settings.monitoring;
  if (SENTRY_DSN === undefined) return silentReporter;
  const sentry = await import('@sentry/node');
  const redact = createRedactor(secretsOf(settings));
  sentry.init({
    dsn: SENTRY_DSN,
    environment: SENTRY_ENVIRONMENT ?? settings.service.NODE_ENV,
    release: SENTRY_RELEASE ?? `colloquy@${programVersion()}`,
    defaultIntegrations: false,
    integrations: integrationsOf(sentry),
    enableRuntimeChannelInjection: false,
    sendClientReports: false,
    spotlight: false,
    maxBreadcrumbs: 0,
    beforeSend: (event) => scrubEvent(event, redact),
  });
  return new SentryReporter(sentry, new ReportThrottle());
}
