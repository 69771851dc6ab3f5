import { Inject, Injectable } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../../config/index.js';
import { LOGGER, type Logger, type RequestContext } from '../../logging/index.js';
import type { MeasuredValue } from '../alerts/alert.js';
import { DurationMetric } from '../metrics/duration-metric.js';
import { Monitoring } from '../monitoring.js';
import type { RequestsSection } from '../snapshot/monitoring-snapshot.js';
import type { Durations } from './durations.js';
import { operationFigures, trafficFigures } from './figures.js';
import { PerformanceMonitor } from './performance-monitor.js';
import { RateLimit } from './rate-limit.js';
import { SlowOperations } from './slow-operations.js';
import { TrafficMeter } from './traffic-meter.js';

/** Seconds. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Label for requests that match no route, regardless of their URL. */
export const UNKNOWN_ROUTE = 'unknown';

/**
 * Routes used to monitor a process: probes, scrapes, the snapshot. A worker serves only these. They do not
 * count as traffic: a probe that returns 503 is not a failed client request.
 */
export const MONITORING_ROUTES = /^\/(health\/|metrics$|v1\/monitoring$)/;

/** Maximum number of log lines per second, so that logging does not add load while everything is slow. */
const SLOW_LINES_PER_SECOND = 20;

/** In PerformanceMonitor, the names of requests begin with their method. */
const REQUEST = /^[A-Z]+ /;
/** Number of routes in a snapshot. */
const SHOWN_ROUTES = 20;
/**
 * With fewer requests than this in the last minute, shares and percentiles are not compared with their
 * limits.
 */
const MIN_REQUESTS = 20;

interface RouteConfiguration {
  longLived?: boolean;
}

/** For routes whose response stays open (server-sent events): their duration is not recorded. */
export const LongLived = (): MethodDecorator => RouteConfig({ longLived: true } satisfies RouteConfiguration);

/** The series of one method of one route, so that no labels are built for each request. */
interface TimedRoute {
  isTimed: boolean;
  byStatus: Durations[];
}

/** Times every request by method, route template and status. */
@Injectable()
export class RequestTimings {
  private readonly durations: DurationMetric<'method' | 'route' | 'status'>;
  private readonly routes = new Map<string, Map<string, TimedRoute>>();
  private readonly lines = new RateLimit(SLOW_LINES_PER_SECOND, 1000);
  private readonly traffic = new TrafficMeter();
  private readonly isOn: boolean;

  constructor(
    monitoring: Monitoring,
    private readonly monitor: PerformanceMonitor,
    private readonly slow: SlowOperations,
    @Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.isOn = settings.MONITORING === 'on';
    this.durations = new DurationMetric({
      name: 'colloquy_http_request_duration_seconds',
      help: 'Requests, from receiving the headers to the end of the response, by route template',
      labelNames: ['method', 'route', 'status'],
      buckets: BUCKETS,
    });
    monitoring.contribute<RequestsSection>({
      metrics: [this.durations],
      snapshot: {
        name: 'requests',
        read: () => this.section(),
        alerts: (requests) => requestAlerts(requests, settings),
      },
    });
  }

  /** Must be called at the end of each request. `context.route` is the template of its route. */
  ended(request: FastifyRequest, reply: FastifyReply, context: RequestContext): void {
    if (!this.isOn) return;
    const { method } = request;
    const { route = UNKNOWN_ROUTE } = context;
    const timed = this.routes.get(route)?.get(method) ?? this.admit(request, route);
    if (!timed.isTimed) return;
    const { statusCode: status, elapsedTime: durationMs } = reply;
    const series = timed.byStatus[status] ?? this.addSeries(timed, method, route, status);
    series.record(durationMs, status < 500);
    if (durationMs > this.settings.SLOW_REQUEST_MS) this.noteSlow(method, route, status, durationMs, context);
  }

  private section(): RequestsSection {
    const routes = this.monitor
      .getBusiest(REQUEST, SHOWN_ROUTES)
      .map((stats) => ({ route: stats.operation, ...operationFigures(stats) }));
    return { ...trafficFigures(this.traffic.read()), routes };
  }

  private admit({ method, routeOptions }: FastifyRequest, route: string): TimedRoute {
    const { longLived = false } = (routeOptions.config ?? {}) as RouteConfiguration;
    const timed: TimedRoute = { isTimed: !longLived, byStatus: [] };
    const methods = this.routes.get(route) ?? new Map<string, TimedRoute>();
    this.routes.set(route, methods.set(method, timed));
    return timed;
  }

  private addSeries({ byStatus }: TimedRoute, method: string, route: string, status: number): Durations {
    const series = this.durations.series({ method, route, status }, (fresh) => {
      this.monitor.add(`${method} ${route}`, fresh);
      if (!MONITORING_ROUTES.test(route)) this.traffic.add(fresh);
    });
    byStatus[status] = series;
    return series;
  }

  private noteSlow(
    method: string,
    route: string,
    status: number,
    durationMs: number,
    { requestId, tenantId }: RequestContext,
  ): void {
    const known = { requestId, ...(tenantId !== undefined && { tenantId }) };
    const rounded = Math.round(durationMs);
    this.slow.note({ kind: 'request', what: `${method} ${route}`, durationMs: rounded, route, ...known });
    const unlogged = this.lines.take();
    if (unlogged === undefined) return;
    this.logger.warn(
      { ...known, method, route, status, durationMs: rounded, ...(unlogged > 0 && { unlogged }) },
      'slow request',
    );
  }
}

/** Exported for its tests. */
export function requestAlerts(
  requests: RequestsSection | null,
  { ALERT_ERROR_RATIO, ALERT_REQUEST_P95_MS }: MonitoringSettings,
): MeasuredValue[] {
  const busy = requests && requests.count >= MIN_REQUESTS ? requests : null;
  return [
    {
      name: 'error_ratio',
      title: 'The share of failed requests (5xx)',
      unit: 'ratio',
      levels: ALERT_ERROR_RATIO,
      value: busy && busy.errorRatio,
    },
    {
      name: 'request_p95',
      title: 'The p95 of requests',
      unit: 'ms',
      levels: ALERT_REQUEST_P95_MS,
      value: busy && busy.p95Ms,
    },
  ];
}
