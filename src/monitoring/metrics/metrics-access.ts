import { Inject, Injectable } from '@nestjs/common';
import { hash, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../../config/index.js';
import { bearerOf, isOperatorRequest, keyRefusalOf, notFound, ProblemError } from '../../http/index.js';

const digest = (text: string): Buffer => hash('sha256', text, 'buffer');

/** Decides who may read /metrics, by the settings METRICS and METRICS_TOKEN. */
@Injectable()
export class MetricsAccess {
  private readonly token: Buffer | undefined;

  constructor(@Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings) {
    const { METRICS_TOKEN } = settings;
    this.token = METRICS_TOKEN === undefined ? undefined : digest(METRICS_TOKEN);
  }

  /**
   * @throws ProblemError 401 without the token or the admin key, 429 after too many wrong keys from the client's
   * address; 404 if METRICS is `off`
   */
  check(request: FastifyRequest): void {
    const { METRICS } = this.settings;
    if (METRICS === 'off') throw notFound('route');
    if (METRICS === 'public' && !this.token) return;
    if (isOperatorRequest(request) || this.isToken(bearerOf(request) ?? '')) return;
    const refusal = keyRefusalOf(request);
    if (refusal) throw refusal;
    throw new ProblemError({
      status: 401,
      code: 'metrics_token_required',
      title: 'A token is required',
      detail:
        'Send METRICS_TOKEN, or the admin key, as "Authorization: Bearer <token>"; or set METRICS=public if the port cannot be reached by others.',
    });
  }

  private isToken(text: string): boolean {
    return this.token !== undefined && timingSafeEqual(digest(text), this.token);
  }
}
