import { Inject, Injectable } from '@nestjs/common';
import {
  ERROR_REPORTER,
  type ErrorReporter,
  LOGGER,
  type Logger,
  type ReportLevel,
} from '../../logging/index.js';
import type { AlertChange } from './alert-tracker.js';
import { AlertWebhook } from './alert-webhook.js';
import type { Alert, ServiceStatus } from './alert.js';

export interface AlertContext {
  status: ServiceStatus;
  service: { name: string; version: string; instance: string };
}

const reportLevels: Readonly<Record<Alert['severity'], ReportLevel>> = {
  warning: 'warning',
  critical: 'error',
};

/**
 * Publishes each change of an alert once to the log, the error reports and the webhook. Changes of kind
 * `eased` are only logged.
 */
@Injectable()
export class AlertPublisher {
  constructor(
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(ERROR_REPORTER) private readonly errors: ErrorReporter,
    private readonly webhook: AlertWebhook,
  ) {}

  publish({ kind, alert }: AlertChange, { status, service }: AlertContext): void {
    this.log(kind, alert);
    if (kind === 'eased') return;
    this.errors.notify(`alert ${kind}: ${alert.message}`, {
      level: kind === 'cleared' ? 'info' : reportLevels[alert.severity],
      tags: { alert: alert.name, severity: alert.severity, transition: kind, alertId: alert.id },
    });
    const { name, version, instance } = service;
    this.webhook.send({
      event: `alert.${kind}`,
      at: new Date().toISOString(),
      status,
      service: { name, version, instance },
      alert,
    });
  }

  private log(kind: AlertChange['kind'], alert: Alert): void {
    const { id: alertId, name, message, ...figures } = alert;
    const line = { alertId, alert: name, transition: kind, ...figures };
    const text = `alert ${kind}: ${message}`;
    if (kind === 'cleared' || kind === 'eased') this.logger.info(line, text);
    else if (alert.severity === 'critical') this.logger.error(line, text);
    else this.logger.warn(line, text);
  }
}
