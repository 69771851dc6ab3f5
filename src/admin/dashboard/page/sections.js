// The sections above and below the charts: banner, alerts, tiles, tables, facts.
import { byId, create, fillFacts, fillTable, setText } from './dom.js';
import { bytes, count, duration, milliseconds, number, percent, perMinute, rate, time } from './format.js';

/** @typedef {import('./types.js').Alert} Alert */
/** @typedef {import('./types.js').DashboardSample} DashboardSample */
/** @typedef {import('./types.js').Snapshot} Snapshot */
/** @typedef {import('./dom.js').Fact} Fact */

const ENDED_SHOWN = 10;

const statusWords = { healthy: 'Healthy', degraded: 'Degraded', critical: 'Critical' };

/** @param {DashboardSample} sample */
export function showBanner({ snapshot, statusSince }) {
  const { service, status, at } = snapshot;
  byId('banner').dataset['status'] = status;
  setText(byId('status'), statusWords[status]);
  // Only in minutes, because screen readers announce each change.
  const minutes = Math.floor((Date.parse(at) - Date.parse(statusSince)) / 60_000);
  const forText = minutes >= 1 ? `, for ${duration(minutes * 60_000)}` : '';
  setText(byId('since'), `since ${time(statusSince)}${forText}`);
  const monitoring = service.monitoring === 'off' ? ' · monitoring is off: requests are not timed' : '';
  setText(
    byId('service'),
    `${service.name} ${service.version} · ${service.instance} · Node ${service.node.replace(/^v/, '')} · up ${duration(service.uptimeSeconds * 1000)}${monitoring}`,
  );
}

/** @param {Alert} alert @returns {HTMLElement} */
const alertItem = ({ severity, message, startedAt, endedAt }) => {
  const when = endedAt
    ? `${time(startedAt)} to ${time(endedAt)} (${duration(Date.parse(endedAt) - Date.parse(startedAt))})`
    : `since ${time(startedAt)}`;
  return create('li', { class: 'alert', 'data-mark': severity }, [
    create('strong', { text: severity === 'critical' ? 'Critical' : 'Warning' }),
    document.createTextNode(` ${message} `),
    create('span', { class: 'soft', text: when }),
  ]);
};

/** @param {Snapshot['alerts']} alerts */
export function showAlerts({ active, recent }) {
  const list = byId('active-alerts');
  // Only rebuilt when something has changed, because screen readers announce what is rebuilt.
  const key = JSON.stringify(active.map(({ id, severity, message }) => [id, severity, message]));
  if (list.dataset['key'] !== key) {
    list.dataset['key'] = key;
    list.replaceChildren(
      active.length === 0
        ? create('p', { class: 'none', text: 'No alerts: everything is within its limits.' })
        : create('ul', {}, active.map(alertItem)),
    );
  }
  const ended = byId('ended-alerts');
  const shown = recent.slice(0, ENDED_SHOWN);
  setText(byId('ended-summary'), `Ended alerts (${recent.length})`);
  const endedKey = shown.map(({ id }) => id).join();
  if (ended.dataset['key'] === endedKey) return;
  ended.dataset['key'] = endedKey;
  ended.replaceChildren(
    ...(shown.length === 0
      ? [create('li', { class: 'none', text: 'None since this process started.' })]
      : shown.map(alertItem)),
  );
}

/** @param {DashboardSample} sample */
export function showTiles({ snapshot: { requests, process, queues }, point }) {
  fillFacts('tiles', [
    ['Requests', rate(requests.ratePerSecond)],
    ['Failed', requests.count === 0 ? percent(null) : percent(requests.errorRatio)],
    ['p95', milliseconds(requests.p95Ms)],
    ['Loop lag p99', milliseconds(process.eventLoopLagP99Ms)],
    ['Memory', bytes(process.rssBytes)],
    ['Jobs waiting', queues ? count(point.queueBacklog) : '–'],
  ]);
}

/** @param {Snapshot} snapshot */
export function showTables({ requests, slow, queues }) {
  fillTable(
    'routes',
    [
      { title: 'Route', read: ({ route }) => route },
      { title: 'Requests', isNumber: true, read: (row) => count(row.count) },
      {
        title: 'Failed',
        isNumber: true,
        read: ({ errorRatio }) => percent(errorRatio),
        mark: ({ errorRatio }) => (errorRatio > 0 ? 'critical' : undefined),
      },
      { title: 'p50', isNumber: true, isMinor: true, read: ({ p50Ms }) => milliseconds(p50Ms) },
      { title: 'p95', isNumber: true, read: ({ p95Ms }) => milliseconds(p95Ms) },
      { title: 'p99', isNumber: true, isMinor: true, read: ({ p99Ms }) => milliseconds(p99Ms) },
    ],
    [...requests.routes].sort((a, b) => (b.p95Ms ?? 0) - (a.p95Ms ?? 0)),
    'No requests in the last five minutes.',
  );
  fillTable(
    'slow',
    [
      { title: 'What', read: ({ what }) => what },
      { title: 'Times', isNumber: true, read: (row) => count(row.count) },
      { title: 'Longest', isNumber: true, read: ({ maxMs }) => milliseconds(maxMs) },
      { title: 'Latest', isShort: true, read: ({ at }) => time(at) },
      {
        title: 'Plan',
        read: ({ plan }) => plan ?? '',
        mark: ({ plan }) => (plan?.includes('COLLSCAN') ? 'critical' : undefined),
      },
      { title: 'Route', read: ({ route }) => route ?? '' },
      { title: 'Tenant', read: ({ tenantId }) => tenantId ?? '' },
    ],
    slow,
    'Nothing was slow in the last 15 minutes.',
  );
  fillTable(
    'queues',
    [
      { title: 'Queue', read: ({ name }) => name },
      { title: 'Waiting', isNumber: true, read: ({ waiting }) => count(waiting) },
      { title: 'Active', isNumber: true, isMinor: true, read: ({ active }) => count(active) },
      { title: 'Delayed', isNumber: true, isMinor: true, read: ({ delayed }) => count(delayed) },
      {
        title: 'Failed',
        isNumber: true,
        read: ({ failed }) => count(failed),
        mark: ({ failed }) => (failed > 0 ? 'warning' : undefined),
      },
      {
        title: 'Oldest waiting',
        isNumber: true,
        read: ({ waiting, oldestWaitingMs }) => (waiting === 0 ? '–' : duration(oldestWaitingMs)),
      },
    ],
    queues ?? [],
    queues ? 'This service has no queues.' : 'The queues could not be read.',
  );
}

/** @type {readonly Fact[]} */
const unread = [['Unknown', 'could not be read']];

/** @param {Snapshot} snapshot */
export function showFacts(snapshot) {
  const { sessions, cache, database, process, disk, redis, health } = snapshot;
  fillFacts(
    'sessions',
    sessions
      ? [
          ['In memory', `${count(sessions.held)} of ${count(sessions.max)}`],
          ['Memory used', bytes(sessions.memoryBytes)],
          ['Opened from memory', count(sessions.opens.l1)],
          ['Opened from Redis', count(sessions.opens.l2)],
          ['Opened from the database', count(sessions.opens.database)],
          ['New', count(sessions.opens.none)],
          ['Version conflicts', count(sessions.conflicts)],
          ['Evicted', count(sessions.evictions)],
        ]
      : unread,
  );
  fillFacts('cache', [
    ['Hits, last minute', percent(cache.hitRatio)],
    ['Lookups', rate(cache.lookupsPerSecond)],
    ['Entries', count(cache.entries)],
    ['Memory', `${bytes(cache.memoryBytes)} of ${bytes(cache.maxMemoryBytes)}`],
    ['Evicted', count(cache.evictions)],
    [
      'Redis',
      redis.enabled ? (redis.up ? 'up' : 'down') : 'not used',
      redis.enabled && !redis.up ? 'critical' : undefined,
    ],
  ]);
  fillFacts('database', [
    ['Kind', database.kind === 'embedded' ? 'embedded store' : 'MongoDB'],
    ['Connected', database.connected ? 'yes' : 'no', database.connected ? undefined : 'critical'],
    ['Ping', milliseconds(database.pingMs)],
    [
      'Connections',
      `${count(database.pool.inUse)} in use, ${count(database.pool.open)} open, ${count(database.pool.max)} maximum`,
    ],
    ['Operations waiting', count(database.pool.waiting), database.pool.waiting > 0 ? 'warning' : undefined],
    ['Commands', rate(database.total.ratePerSecond)],
    ['Commands, p95', milliseconds(database.total.p95Ms)],
  ]);
  fillFacts('process', [
    ['Memory (RSS)', `${bytes(process.rssBytes)} of ${bytes(process.memoryLimitBytes)}`],
    ['Heap', `${bytes(process.heapUsedBytes)} of ${bytes(process.heapLimitBytes)}`],
    ['CPU', `${number(process.cpuCores)} cores`],
    ['Event loop utilization', percent(process.eventLoopUtilisation)],
    ['GC pause, p99', milliseconds(process.gcPauseP99Ms)],
    [
      'Open files',
      process.maxOpenFiles === null
        ? count(process.openFiles)
        : `${count(process.openFiles)} of ${count(process.maxOpenFiles)}`,
    ],
    ['Disk free', disk ? `${bytes(disk.freeBytes)} (${percent(disk.freeRatio)})` : 'could not be read'],
  ]);
  fillFacts('health', [
    ['Ready', health.ready ? 'yes' : 'no', health.ready ? undefined : 'critical'],
    ...Object.entries(health.checks).map(([name, { status, reason }]) => {
      const mark = status === 'up' ? undefined : status === 'degraded' ? 'warning' : 'critical';
      return /** @type {Fact} */ ([name, reason ? `${status}: ${reason}` : status, mark]);
    }),
  ]);
}

/** @param {DashboardSample} sample */
export function showTranscripts({ snapshot: { transcripts }, point }) {
  fillFacts(
    'transcripts',
    transcripts
      ? [
          ['Queued', count(transcripts.queued)],
          ['In progress', count(transcripts.processing)],
          ['Stored', `${count(transcripts.completed)} (${perMinute(point.transcriptsStoredPerMinute)})`],
          ['Permanently failed', count(transcripts.dead), transcripts.dead > 0 ? 'critical' : undefined],
          ['Retries', count(transcripts.retries)],
          ['Oldest waiting', transcripts.oldestMs === 0 ? '–' : duration(transcripts.oldestMs)],
          ['Vectors', `${count(transcripts.indexVectors)} (${bytes(transcripts.indexBytes)})`],
        ]
      : unread,
  );
}
