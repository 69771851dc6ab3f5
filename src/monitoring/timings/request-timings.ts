import { Inject, Injectable } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../../config/index.js';
import { LOGGER, type Logger, type RequestContext } from '../../logging/index.js';
import { DurationMetric } from '../metrics/duration-metric.js';
import { METRIC_PREFIX, Metrics } from '../metrics/metrics.js';
import type { Durations } from './durations.js';
import { PerformanceMonitor } from './performance-monitor.js';
import { RateLimit } from './rate-limit.js';
import { SlowOperations } from './slow-operations.js';
import { TrafficMeter } from './traffic-meter.js';

/** Seconds. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** What no route serves is one, whatever its URL. */
export const UNKNOWN_ROUTE = 'unknown';

/** What watches the service is not part of its traffic: a probe that says no is not a client's failed request. */
const WATCHERS = /^\/(health\/|metrics$|v1\/monitoring$)/;

/** When everything is slow, the log must not make it slower: lines in a second. */
const SLOW_LINES_PER_SECOND = 20;

interface RouteConfiguration {
  longLived?: boolean;
}

/** For a route whose response stays open (server-sent events): its duration says nothing and is not timed. */
export const LongLived = (): MethodDecorator => RouteConfig({ longLived: true } satisfies RouteConfiguration);

/** What is known of one method of one route, so that nothing is put together for each request. */
interface TimedRoute {
  isTimed: boolean;
  byStatus: Durations[];
}

/** Times every request by method, the template of its route, and status. */
@Injectable()
export class RequestTimings {
  private readonly durations: DurationMetric<'method' | 'route' | 'status'>;
  private readonly routes = new Map<string, Map<string, TimedRoute>>();
  private readonly lines = new RateLimit(SLOW_LINES_PER_SECOND, 1000);
  private readonly isOn: boolean;

  constructor(
    private readonly monitor: PerformanceMonitor,
    private readonly traffic: TrafficMeter,
    private readonly slow: SlowOperations,
    metrics: Metrics,
    @Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.isOn = settings.MONITORING === 'on';
    this.durations = new DurationMetric(metrics, {
      name: `${METRIC_PREFIX}http_request_duration_seconds`,
      help: 'Requests from their headers to the end of the answer, by template of the route',
      labelNames: ['method', 'route', 'status'],
      buckets: BUCKETS,
    });
  }

  /** To be called at the end of each request; `context.route` is the template of its route. */
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
      if (!WATCHERS.test(route)) this.traffic.requests.add(fresh);
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
