import { stripVTControlCharacters } from 'node:util';
import type { ServiceSnapshot } from '../../src/admin/index.js';
import type { Alert } from '../../src/monitoring/index.js';
import { renderDashboard } from './render.js';

const timings = { count: 0, errorRatio: 0, p50Ms: null, p95Ms: null, p99Ms: null };

const alert: Alert = {
  id: 'a-1',
  name: 'disk_free',
  severity: 'warning',
  message: 'The free space on the disk of DATA_DIR is 100.0 MiB, below 512.0 MiB.',
  value: 104_857_600,
  limit: 536_870_912,
  unit: 'bytes',
  startedAt: '2026-01-01T00:00:00.000Z',
  endedAt: null,
};

/** A process that has just begun, without a database. */
const snapshot: ServiceSnapshot = {
  at: '2026-01-01T00:01:00.000Z',
  service: {
    name: 'colloquy',
    version: '1.2.3',
    instance: 'host:1',
    node: 'v20',
    uptimeSeconds: 7300,
    monitoring: 'on',
  },
  status: 'critical',
  requests: { ...timings, ratePerSecond: 0, routes: [] },
  database: {
    kind: 'mongodb',
    connected: false,
    pool: { open: 0, inUse: 0, waiting: 3, max: 50 },
    total: { ...timings, ratePerSecond: 0 },
    commands: [],
    pingMs: null,
  },
  process: {
    rssBytes: 104_857_600,
    memoryLimitBytes: 1_073_741_824,
    heapUsedBytes: 52_428_800,
    heapLimitBytes: 536_870_912,
    eventLoopLagP99Ms: 12.34,
    eventLoopUtilisation: 0.25,
    gcPauseP99Ms: null,
    cpuCores: 0.5,
    openFiles: null,
    maxOpenFiles: null,
  },
  cache: {
    hitRatio: null,
    lookups: 0,
    lookupsPerSecond: 0,
    entries: 0,
    memoryBytes: 0,
    maxMemoryBytes: 1024,
    evictions: 0,
  },
  sessions: null,
  queues: null,
  transcripts: null,
  disk: null,
  redis: { enabled: true, up: false },
  health: {
    ready: false,
    checks: { database: { status: 'down', reason: 'no answer within 2000 ms', durationMs: 2000 } },
  },
  slow: [
    {
      at: '2026-01-01T00:00:30.000Z',
      kind: 'database',
      what: 'find jobs { queue: ? }',
      count: 3,
      durationMs: 1500,
      maxMs: 2100,
      totalMs: 4200,
      plan: 'COLLSCAN',
      route: '/v1/jobs',
      tenantId: 'acme',
    },
  ],
  alerts: { active: [alert], recent: [{ ...alert, endedAt: '2026-01-01T00:00:50.000Z' }] },
};

const plain = renderDashboard(snapshot, { hasColors: false });

describe('renderDashboard', () => {
  it('shows problems first', () => {
    expect(plain.split('\n').slice(0, 9)).toEqual([
      'CRITICAL · colloquy 1.2.3 on host:1 · up 2 h · Node v20',
      '2026-01-01T00:01:00.000Z · not ready',
      'database down: no answer within 2000 ms',
      '',
      'Alerts',
      `WARNING since ${alert.startedAt}: ${alert.message}`,
      'Ended:',
      `warning, ${alert.startedAt} to 2026-01-01T00:00:50.000Z: ${alert.message}`,
      '',
    ]);
  });

  it('shows unknown values as such', () => {
    expect(plain).toMatch(/\nQueues\nThey could not be read\.\n/);
    for (const name of ['sessions', 'transcripts', 'disk'])
      expect(plain).toMatch(new RegExp(`\n${name} +could not be read\n`));
    expect(plain).toContain('mongodb, not connected, ping - ms');
    expect(plain).toMatch(/\nredis +down; continuing without it\n/);
  });

  it('shows slow operations with how often, plan and route', () => {
    expect(plain).toMatch(
      / 3 +1,500 ms +2,100 ms +acme +find jobs \{ queue: \? \} \[COLLSCAN\] for \/v1\/jobs\n$/,
    );
  });

  it('renders the same text in color on a terminal', () => {
    const colored = renderDashboard(snapshot, { hasColors: true });
    expect(colored).toContain('\u001b[31mCRITICAL\u001b[0m · colloquy');
    expect(colored).toContain('\u001b[33mWARNING\u001b[0m since');
    expect(stripVTControlCharacters(colored)).toBe(plain);
    expect(plain).not.toContain('\u001b');
  });

  it('shows when monitoring is off', () => {
    const service = { ...snapshot.service, monitoring: 'off' as const };
    expect(renderDashboard({ ...snapshot, service }, { hasColors: false })).toContain('MONITORING=off');
  });
});
