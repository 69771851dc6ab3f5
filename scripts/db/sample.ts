import { renderBytes, renderTable } from '../../src/cli/index.js';
import type { Reading, Storage } from './reading.js';

/** The state at a reading, and what happened since the previous one. Rates are per second. */
export interface Sample {
  now: Reading;
  storage: Storage;
  /** Rates between the readings; absent when the server was restarted in between. */
  rates?: Rates;
}

export interface Rates {
  seconds: number;
  operations: Readonly<Record<string, number>>;
  bytesIn: number;
  bytesOut: number;
  requests: number;
  commits: number;
  aborts: number;
  /** Share of pages found in the cache, 0 to 1. Absent without a cache, or when nothing was read. */
  cacheHits?: number;
}

export interface Alert {
  level: 'warning' | 'critical';
  text: string;
}

function cacheHits(before: Reading, now: Reading): number | undefined {
  if (!before.cache || !now.cache) return undefined;
  const requested = now.cache.requested - before.cache.requested;
  return requested > 0 ? Math.max(0, 1 - (now.cache.read - before.cache.read) / requested) : undefined;
}

/**
 * Computes rates from differences of counters. Undefined when the server was restarted, because its counters
 * start at 0 then.
 */
export function ratesBetween(before: Reading, now: Reading): Rates | undefined {
  const seconds = (now.at - before.at) / 1000;
  if (seconds <= 0 || now.uptime < before.uptime) return undefined;
  const perSecond = (from: number, to: number): number => (to - from) / seconds;
  const hits = cacheHits(before, now);
  return {
    seconds,
    operations: Object.fromEntries(
      Object.entries(now.operations).map(([name, count]) => [
        name,
        perSecond(before.operations[name] ?? 0, count),
      ]),
    ),
    bytesIn: perSecond(before.network.in, now.network.in),
    bytesOut: perSecond(before.network.out, now.network.out),
    requests: perSecond(before.network.requests, now.network.requests),
    commits: perSecond(before.transactions.committed, now.transactions.committed),
    aborts: perSecond(before.transactions.aborted, now.transactions.aborted),
    ...(hits !== undefined && { cacheHits: hits }),
  };
}

const percent = (share: number): string => `${(share * 100).toFixed(share >= 0.1 ? 0 : 1)} %`;

/** Returns a warning from `warning` on, and a critical alert from `critical` on. */
function grade(value: number, warning: number, critical: number, text: string): Alert[] {
  if (value < warning) return [];
  return [{ level: value >= critical ? 'critical' : 'warning', text }];
}

/** Aborted transactions are ignored below this rate per second, because occasional retries are normal. */
const MIN_ABORTS = 1;

/** Returns what an operator should check; the thresholds are listed in docs/operations.md. */
export function alertsOf({ now, storage, rates }: Sample): Alert[] {
  const { current, available } = now.connections;
  const connections =
    current === undefined || available === undefined ? undefined : current / Math.max(1, current + available);
  const alerts: Alert[] = [
    ...(connections === undefined
      ? [{ level: 'warning', text: 'the numbers of connections in use and available are unknown' } as const]
      : grade(connections, 0.8, 0.95, `${percent(connections)} of the connections are in use`)),
    ...grade(now.queued, 10, 100, `${now.queued} operations are waiting for a lock`),
  ];
  if (now.cache && now.cache.max > 0) {
    const used = now.cache.used / now.cache.max;
    const dirty = now.cache.dirty / now.cache.max;
    alerts.push(...grade(used, 0.9, 0.97, `the cache is ${percent(used)} full`));
    alerts.push(...grade(dirty, 0.1, 0.2, `${percent(dirty)} of the cache is waiting to be written`));
  }
  if (storage.disk) {
    const used = 1 - storage.disk.free / Math.max(1, storage.disk.total);
    alerts.push(
      ...grade(used, 0.9, 0.97, `the disk is ${percent(used)} full, ${renderBytes(storage.disk.free)} free`),
    );
  }
  if (rates && rates.aborts >= MIN_ABORTS) {
    const share = rates.aborts / (rates.aborts + rates.commits);
    alerts.push(...grade(share, 0.1, 0.5, `${percent(share)} of the transactions are aborted`));
  }
  if (!rates) alerts.push({ level: 'warning', text: 'the server was restarted, so there are no rates' });
  return alerts;
}

const rate = (value: number): string => (value >= 100 ? Math.round(value).toString() : value.toFixed(1));
const count = (value: number): string => value.toLocaleString('en-US');
const known = (value: number | undefined): string => (value === undefined ? 'unknown' : count(value));

function duration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.floor(seconds)} s`;
  if (minutes < 120) return `${minutes} min`;
  return minutes < 2880 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1440)} d`;
}

function cacheText({ cache, resident }: Reading, rates: Rates | undefined): string {
  if (!cache) return `the operating system's (files are mapped), ${renderBytes(resident)} resident`;
  const hits = rates?.cacheHits === undefined ? '' : `, ${percent(rates.cacheHits)} of the pages found in it`;
  return `${renderBytes(cache.used)} of ${renderBytes(cache.max)}, ${renderBytes(cache.dirty)} to be written${hits}`;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

/** Number of collections shown, largest first. */
const SHOWN_COLLECTIONS = 15;

function collectionRows({ collections }: Storage): string {
  const rows = collections.slice(0, SHOWN_COLLECTIONS).map(({ name, documents, data, indexes }) => {
    const [largest] = Object.entries(indexes).sort(([, a], [, b]) => b - a);
    return [
      name,
      count(documents),
      renderBytes(data),
      renderBytes(sum(Object.values(indexes))),
      largest ? `${largest[0]} ${renderBytes(largest[1])}` : '',
    ];
  });
  const left = collections.length - rows.length;
  return (
    renderTable(
      [['collection', 'documents', 'data', 'indexes', 'largest index'], ...rows],
      new Set([1, 2, 3]),
    ) + (left > 0 ? `… and ${left} smaller ones\n` : '')
  );
}

/** Renders a sample as text for a terminal. */
export function renderSample(title: string, sample: Sample): string {
  const { now, storage, rates } = sample;
  const operations = Object.entries(rates?.operations ?? {}).map(([name, value]) => `${name} ${rate(value)}`);
  const alerts = alertsOf(sample);
  const lines: [string, string][] = [
    ['server', `${now.version} (${now.engine}), up ${duration(now.uptime)}`],
    [
      'connections',
      `${known(now.connections.current)} open, ${known(now.connections.available)} available; ` +
        `${now.queued} operations waiting, ${now.openCursors} cursors and ${now.openTransactions} transactions open`,
    ],
    ['operations/s', operations.join('  ') || 'unknown'],
    ['transactions/s', rates ? `committed ${rate(rates.commits)}  aborted ${rate(rates.aborts)}` : 'unknown'],
    ['network/s', rates ? `${renderBytes(rates.bytesIn)} in, ${renderBytes(rates.bytesOut)} out` : 'unknown'],
    ['cache', cacheText(now, rates)],
    [
      'storage',
      `${count(storage.documents)} documents, ${renderBytes(storage.data)} of data in ${renderBytes(storage.stored)}, ` +
        `${renderBytes(storage.indexes)} of indexes` +
        (storage.disk
          ? `; disk ${renderBytes(storage.disk.free)} free of ${renderBytes(storage.disk.total)}`
          : ''),
    ],
  ];
  const over = rates ? `, over ${rates.seconds.toFixed(1)} s` : '';
  return [
    `${title} · ${new Date(now.at).toISOString()}${over}\n\n`,
    renderTable(lines, new Set()),
    `\n${collectionRows(storage)}\n`,
    alerts.length === 0
      ? 'No alerts.\n'
      : alerts.map(({ level, text }) => `${level.toUpperCase()}: ${text}\n`).join(''),
  ].join('');
}
