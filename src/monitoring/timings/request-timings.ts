import { Inject, Injectable } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Histogram } from 'prom-client';
import { contextOf, LOGGER, type Logger } from '../../common/index.js';
import { MONITORING_SETTINGS, type MonitoringSettings } from '../../config/index.js';
import { METRIC_PREFIX, Metrics } from '../metrics/metrics.js';
import { PerformanceMonitor } from './performance-monitor.js';
import { RateLimit } from './rate-limit.js';
import { SlowOperations } from './slow-operations.js';
import { TrafficMeter } from './traffic-meter.js';

/** Seconds. */
const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const ROUND_TRIP_BUCKETS = [0, 1, 2, 3, 4, 5, 7, 10, 15, 25, 50, 100];

/** What no route answers is one, whatever its URL. */
export const UNKNOWN_ROUTE = 'unknown';

/** What watches the service is none of its traffic: a probe that says no is no failed request of a client. */
const WATCHERS = /^\/(health\/|metrics$|v1\/monitoring$)/;

/** When everything is slow, the log must not make it slower: lines in a second. */
const SLOW_LINES_PER_SECOND = 20;

interface RouteConfiguration {
  longLived?: boolean;
}

/** For a route whose answer stays open (server-sent events): its duration says nothing and is not timed. */
export const LongLived = (): MethodDecorator => RouteConfig({ longLived: true } satisfies RouteConfiguration);

const durationName = `${METRIC_PREFIX}http_request_duration_seconds`;

/** Times every request by method, the template of its route, and status. */
@Injectable()
export class RequestTimings {
  private readonly durations: Histogram<'method' | 'route' | 'status'>;
  private readonly roundTrips: Histogram<'method' | 'route'>;
  /** Names of operations by route and method: they are not put together for each request. */
  private readonly names = new Map<string, Map<string, string>>();
  private readonly lines = new RateLimit(SLOW_LINES_PER_SECOND, 1000);

  constructor(
    private readonly monitor: PerformanceMonitor,
    private readonly traffic: TrafficMeter,
    private readonly slow: SlowOperations,
    metrics: Metrics,
    @Inject(MONITORING_SETTINGS) private readonly settings: MonitoringSettings,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.durations = new Histogram({
      name: durationName,
      help: 'Requests from their headers to the end of the answer, by template of the route',
      labelNames: ['method', 'route', 'status'],
      buckets: DURATION_BUCKETS,
      registers: [metrics.registry],
    });
    this.roundTrips = new Histogram({
      name: `${METRIC_PREFIX}http_request_database_round_trips`,
      help: 'Commands that were sent to the database for one request',
      labelNames: ['method', 'route'],
      buckets: ROUND_TRIP_BUCKETS,
      registers: [metrics.registry],
    });
  }

  /** Before the routes are registered. */
  mount(fastify: FastifyInstance): void {
    if (this.settings.MONITORING === 'off') return;
    fastify.addHook('onResponse', (request, reply, done) => {
      this.note(request, reply);
      done();
    });
  }

  private note(request: FastifyRequest, reply: FastifyReply): void {
    const { url, config } = request.routeOptions;
    if ((config as RouteConfiguration | undefined)?.longLived) return;
    const { method } = request;
    const route = url ?? UNKNOWN_ROUTE;
    const status = reply.statusCode;
    const durationMs = reply.elapsedTime;
    const trips = contextOf(request)?.databaseRoundTrips ?? 0;
    this.monitor.record(this.nameOf(method, route), durationMs, status < 500);
    if (!WATCHERS.test(route)) this.traffic.requests.record(durationMs, status < 500);
    this.durations.observe({ method, route, status }, durationMs / 1000);
    this.roundTrips.observe({ method, route }, trips);
    if (durationMs > this.settings.SLOW_REQUEST_MS) this.noteSlow(request, reply, durationMs, trips);
  }

  private nameOf(method: string, route: string): string {
    const names = this.names.get(route) ?? new Map<string, string>();
    const known = names.get(method);
    if (known !== undefined) return known;
    const name = `${method} ${route}`;
    this.names.set(route, names.set(method, name));
    return name;
  }

  private noteSlow(
    request: FastifyRequest,
    reply: FastifyReply,
    durationMs: number,
    databaseRoundTrips: number,
  ): void {
    const tenantId = contextOf(request)?.tenantId;
    const route = request.routeOptions.url ?? UNKNOWN_ROUTE;
    this.slow.note({
      kind: 'request',
      what: `${request.method} ${route}`,
      durationMs: Math.round(durationMs),
      route,
      requestId: request.id,
      ...(tenantId !== undefined && { tenantId }),
    });
    const unlogged = this.lines.take();
    if (unlogged === undefined) return;
    this.logger.warn(
      {
        requestId: request.id,
        ...(tenantId !== undefined && { tenantId }),
        method: request.method,
        route,
        status: reply.statusCode,
        durationMs: Math.round(durationMs),
        databaseRoundTrips,
        ...(unlogged > 0 && { unlogged }),
      },
      'slow request',
    );
  }
}
