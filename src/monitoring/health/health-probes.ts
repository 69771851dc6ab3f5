import { HttpException, Injectable } from '@nestjs/common';
import {
  HealthCheckService,
  HealthIndicatorService,
  type HealthCheckResult,
  type HealthIndicatorResult,
} from '@nestjs/terminus';
import type { HealthResult } from './health-check.js';
import { HealthService, type ProbeName } from './health.service.js';

/** The response of a probe: the worst status, and the result of each check by name. */
export interface ProbeResponse {
  status: 'ok' | 'degraded';
  checks: HealthIndicatorResult;
}

/** Converts health reports to Terminus results. */
@Injectable()
export class HealthProbes {
  constructor(
    private readonly terminus: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly health: HealthService,
  ) {}

  /**
   * @param detailed includes reasons, times and figures, for operators; otherwise only names and states
   * @throws ServiceUnavailableException of Terminus if a check is down
   */
  async run(probe: ProbeName, detailed: boolean): Promise<ProbeResponse> {
    const report = await this.health.report(probe);
    const result = await this.evaluate(
      Object.entries(report).map(
        ([name, outcome]) =>
          () =>
            this.indicatorOf(name, outcome, detailed),
      ),
    );
    return { status: result.status === 'degraded' ? 'degraded' : 'ok', checks: result.details };
  }

  /**
   * Terminus fails every probe once the application closes. Here only `ready` must fail then, which it does
   * by its own check, so a result without a failed check is returned.
   */
  private async evaluate(checks: (() => HealthIndicatorResult)[]): Promise<HealthCheckResult> {
    try {
      return await this.terminus.check(checks);
    } catch (error) {
      const failed = failedProbe(error);
      if (failed && Object.keys(failed.error ?? {}).length === 0) return failed;
      throw error;
    }
  }

  private indicatorOf(name: string, outcome: HealthResult, detailed: boolean): HealthIndicatorResult {
    const { status, reason, durationMs, details } = outcome;
    const data = detailed ? { ...(reason !== undefined && { message: reason }), durationMs, ...details } : {};
    const indicator = this.indicators.check(name);
    switch (status) {
      case 'up':
        return indicator.up(data);
      case 'degraded':
        return indicator.degraded(data);
      case 'down':
        return indicator.down(data);
    }
  }
}

/** Extracts the result from an error thrown by Terminus; undefined for any other error. */
export const failedProbe = (error: unknown): HealthCheckResult | undefined =>
  error instanceof HttpException && error.getStatus() === 503
    ? (error.getResponse() as HealthCheckResult)
    : undefined;
