import type { ServiceSnapshot } from '../../src/admin/index.js';
import type { Alert, OperationFigures, ServiceStatus } from '../../src/monitoring/index.js';
import type { QueueFigures } from '../../src/queue/index.js';
import { renderBytes, renderTable } from '../../src/cli/index.js';

type Color = 'red' | 'yellow' | 'green' | 'dim' | 'bold';

const codes: Readonly<Record<Color, number>> = { red: 31, yellow: 33, green: 32, dim: 2, bold: 1 };

/** Colors a text for a terminal; returns it unchanged when colors are off. */
type Paint = (color: Color, text: string) => string;

const paintFor =
  (hasColors: boolean): Paint =>
  (color, text) =>
    hasColors ? `\u001b[${codes[color]}m${text}\u001b[0m` : text;

const statusColors: Readonly<Record<ServiceStatus, Color>> = {
  healthy: 'green',
  degraded: 'yellow',
  critical: 'red',
};

const SHOWN_ROUTES = 15;
const SHOWN_COMMANDS = 10;
const SHOWN_RECENT = 5;

const count = (value: number): string => Math.round(value).toLocaleString('en-US');

const percent = (ratio: number | null): string => (ratio === null ? '-' : `${(ratio * 100).toFixed(1)} %`);

const ms = (value: number | null): string => {
  if (value === null) return '-';
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : count(value);
};

const rate = (value: number): string => (value < 10 ? value.toFixed(1) : count(value));

/** Formats a duration as a whole number of a suitable unit: `42 s`, `5 min`, `3 h`. */
function duration(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

const section = (title: string, paint: Paint, body: string): string => `${paint('bold', title)}\n${body}\n`;

const pairs = (rows: readonly (readonly [string, string])[]): string => renderTable(rows, new Set());

const timings = ({ count: runs, errorRatio, p50Ms, p95Ms, p99Ms }: OperationFigures): string[] => [
  count(runs),
  percent(errorRatio),
  ms(p50Ms),
  ms(p95Ms),
  ms(p99Ms),
];

const operationTable = (title: string, rows: readonly (readonly [string, OperationFigures])[]): string =>
  renderTable(
    [
      [title, 'count', 'errors', 'p50 ms', 'p95 ms', 'p99 ms'],
      ...rows.map(([name, figures]) => [name, ...timings(figures)]),
    ],
    new Set([1, 2, 3, 4, 5]),
  );

function head({ at, service, status, health }: ServiceSnapshot, paint: Paint): string {
  const { name, version, instance, node, uptimeSeconds, monitoring } = service;
  const off = monitoring === 'off' ? ' · MONITORING=off: nothing is timed and no alerts are raised' : '';
  const problems = Object.entries(health.checks)
    .filter(([, check]) => check.status !== 'up')
    .map(
      ([check, { status: state, reason }]) => `${check} ${state}${reason === undefined ? '' : `: ${reason}`}`,
    );
  return [
    `${paint(statusColors[status], status.toUpperCase())} · ${name} ${version} on ${instance} · up ${duration(uptimeSeconds)} · Node ${node}${off}\n`,
    `${at} · ${health.ready ? 'ready' : paint('red', 'not ready')}\n`,
    ...problems.map((line) => `${paint('yellow', line)}\n`),
    '\n',
  ].join('');
}

const alertLine = ({ severity, message, startedAt, endedAt }: Alert, paint: Paint): string => {
  const color = severity === 'critical' ? 'red' : 'yellow';
  return endedAt === null
    ? `${paint(color, severity.toUpperCase())} since ${startedAt}: ${message}\n`
    : paint('dim', `${severity}, ${startedAt} to ${endedAt}: ${message}`) + '\n';
};

function alertsSection({ alerts }: ServiceSnapshot, paint: Paint): string {
  const active = alerts.active.map((alert) => alertLine(alert, paint)).join('');
  const recent = alerts.recent.slice(0, SHOWN_RECENT).map((alert) => alertLine(alert, paint));
  return section(
    'Alerts',
    paint,
    (active || 'None.\n') + (recent.length > 0 ? `Ended:\n${recent.join('')}` : ''),
  );
}

function requestsSection({ requests }: ServiceSnapshot, paint: Paint): string {
  const { ratePerSecond, errorRatio, p50Ms, p95Ms, p99Ms, routes } = requests;
  const all = `${rate(ratePerSecond)}/s, ${percent(errorRatio)} failed, p50 ${ms(p50Ms)} p95 ${ms(p95Ms)} p99 ${ms(p99Ms)} ms over the last minute\n`;
  const rows = routes.slice(0, SHOWN_ROUTES).map((one) => [one.route, one] as const);
  return section('Requests', paint, all + (rows.length > 0 ? operationTable('route (5 min)', rows) : ''));
}

function databaseSection({ database }: ServiceSnapshot, paint: Paint): string {
  const { kind, connected, pool, total, pingMs, commands } = database;
  const rows = commands.slice(0, SHOWN_COMMANDS).map((one) => [one.command, one] as const);
  const lines = pairs([
    ['state', `${kind}, ${connected ? 'connected' : paint('red', 'not connected')}, ping ${ms(pingMs)} ms`],
    ['pool', `${pool.inUse} of ${pool.open} in use, ${pool.waiting} waiting, ${pool.max} maximum`],
    ['commands', `${rate(total.ratePerSecond)}/s, p95 ${ms(total.p95Ms)} ms over the last minute`],
  ]);
  return section('Database', paint, lines + (rows.length > 0 ? operationTable('command (5 min)', rows) : ''));
}

const queueRow = ({ name, waiting, active, delayed, failed, oldestWaitingMs }: QueueFigures): string[] => [
  name,
  ...[waiting, active, delayed, failed].map(count),
  oldestWaitingMs > 0 ? duration(oldestWaitingMs / 1000) : '-',
];

function queuesSection({ queues }: ServiceSnapshot, paint: Paint): string {
  if (!queues) return section('Queues', paint, 'They could not be read.\n');
  if (queues.length === 0) return section('Queues', paint, 'None.\n');
  const titles = ['queue', 'waiting', 'active', 'delayed', 'failed', 'oldest'];
  return section('Queues', paint, renderTable([titles, ...queues.map(queueRow)], new Set([1, 2, 3, 4, 5])));
}

const unreadable = 'could not be read';

function sessionsText({ sessions }: ServiceSnapshot): string {
  if (!sessions) return unreadable;
  const { held, max, memoryBytes, opens, conflicts, evictions } = sessions;
  return (
    `${count(held)} of ${count(max)} in memory (${renderBytes(memoryBytes)}), ${count(evictions)} evicted, ${count(conflicts)} conflicts; ` +
    `opened from memory ${count(opens.l1)}, Redis ${count(opens.l2)}, database ${count(opens.database)}, new ${count(opens.none)}`
  );
}

function transcriptsText({ transcripts }: ServiceSnapshot): string {
  if (!transcripts) return unreadable;
  const { queued, processing, completed, dead, retries, oldestMs, indexVectors, indexBytes } = transcripts;
  return (
    `${count(queued)} queued, ${count(processing)} in progress, ${count(completed)} stored, ${count(dead)} permanently failed, ${count(retries)} retries; ` +
    `oldest ${oldestMs > 0 ? duration(oldestMs / 1000) : '-'}; ${count(indexVectors)} vectors in memory (${renderBytes(indexBytes)})`
  );
}

function processText({ process }: ServiceSnapshot): string {
  const { openFiles, maxOpenFiles } = process;
  const files = openFiles === null ? '' : `; ${openFiles} of ${maxOpenFiles ?? '?'} files open`;
  return (
    `memory ${renderBytes(process.rssBytes)} of ${renderBytes(process.memoryLimitBytes)}, heap ${renderBytes(process.heapUsedBytes)} of ${renderBytes(process.heapLimitBytes)}; ` +
    `CPU ${process.cpuCores.toFixed(2)} cores; event loop ${percent(process.eventLoopUtilisation)} utilized, lag p99 ${ms(process.eventLoopLagP99Ms)} ms, ` +
    `GC p99 ${ms(process.gcPauseP99Ms)} ms${files}`
  );
}

function processSection(snapshot: ServiceSnapshot, paint: Paint): string {
  const { cache, disk, redis } = snapshot;
  const rows: [string, string][] = [
    ['sessions', sessionsText(snapshot)],
    [
      'cache',
      `${percent(cache.hitRatio)} hits, ${rate(cache.lookupsPerSecond)} lookups/s, ${count(cache.entries)} entries (${renderBytes(cache.memoryBytes)} of ${renderBytes(cache.maxMemoryBytes)})`,
    ],
    ['transcripts', transcriptsText(snapshot)],
    ['process', processText(snapshot)],
    [
      'disk',
      disk
        ? `${renderBytes(disk.freeBytes)} free of ${renderBytes(disk.totalBytes)} (${percent(disk.freeRatio)})`
        : unreadable,
    ],
    ['redis', redis.enabled ? (redis.up ? 'up' : 'down; continuing without it') : 'not configured'],
  ];
  return section('This process', paint, pairs(rows));
}

function slowSection({ slow }: ServiceSnapshot, paint: Paint): string {
  if (slow.length === 0) return '';
  const rows = slow.map(({ at, count: times, durationMs, maxMs, what, plan, route, tenantId }) => [
    at,
    count(times),
    `${count(durationMs)} ms`,
    `${count(maxMs)} ms`,
    tenantId ?? '-',
    [what, plan && `[${plan}]`, route !== undefined && !what.endsWith(route) && `for ${route}`]
      .filter((part) => typeof part === 'string')
      .join(' '),
  ]);
  return section(
    'Slow operations',
    paint,
    renderTable([['latest', 'times', 'took', 'longest', 'tenant', 'what'], ...rows], new Set([1, 2, 3])),
  );
}

/** Renders a snapshot as text for a terminal. */
export function renderDashboard(snapshot: ServiceSnapshot, { hasColors }: { hasColors: boolean }): string {
  const paint = paintFor(hasColors);
  return [
    head(snapshot, paint),
    alertsSection(snapshot, paint),
    requestsSection(snapshot, paint),
    databaseSection(snapshot, paint),
    queuesSection(snapshot, paint),
    processSection(snapshot, paint),
    slowSection(snapshot, paint),
  ]
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trimEnd()
    .concat('\n');
}
