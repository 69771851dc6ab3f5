import { type Reading, readingOf, type Storage } from './reading.js';
import { alertsOf, ratesBetween, renderSample } from './sample.js';

const storage: Storage = {
  documents: 1200,
  data: 2048,
  stored: 4096,
  indexes: 1024,
  collections: [{ name: 'messages', documents: 1200, data: 2048, indexes: { _id_: 256, tenantId_1: 768 } }],
};

const status = (change: object = {}): object => ({
  version: '7.0.0',
  storageEngine: { name: 'lmdb' },
  uptime: 100,
  connections: { current: 5, available: 95 },
  globalLock: { currentQueue: { total: 0 } },
  metrics: { cursor: { open: { total: 1 } } },
  mem: { resident: 64 },
  opcounters: { insert: 10, query: 100, update: 0, delete: 0, getmore: 0, command: 7 },
  network: { bytesIn: 1000, bytesOut: 2000, numRequests: 50 },
  transactions: { currentOpen: 0, totalCommitted: 10, totalAborted: 0 },
  ...change,
});

const reading = (at: number, change?: object): Reading => readingOf(status(change), at);

const wiredTiger = (used: number, dirty: number, requested: number, read: number): object => ({
  wiredTiger: {
    cache: {
      'bytes currently in the cache': used,
      'maximum bytes configured': 1000,
      'tracked dirty bytes in the cache': dirty,
      'pages requested from the cache': requested,
      'pages read into cache': read,
    },
  },
});

describe('ratesBetween', () => {
  it('divides differences of counters by the time between the readings', () => {
    const later = reading(4000, {
      uptime: 102,
      opcounters: { insert: 12, query: 160, update: 1, delete: 0, getmore: 0, command: 7 },
      network: { bytesIn: 3000, bytesOut: 2000, numRequests: 70 },
      transactions: { currentOpen: 0, totalCommitted: 14, totalAborted: 2 },
    });
    expect(ratesBetween(reading(2000), later)).toEqual({
      seconds: 2,
      operations: { insert: 1, query: 30, update: 0.5, delete: 0, getmore: 0, command: 0 },
      bytesIn: 1000,
      bytesOut: 0,
      requests: 10,
      commits: 2,
      aborts: 1,
    });
  });

  it('returns nothing when the server was restarted', () => {
    const later = reading(4000, { uptime: 1 });
    expect(ratesBetween(reading(2000), later)).toBeUndefined();
    expect(alertsOf({ now: later, storage })).toEqual([
      { level: 'warning', text: 'the server was restarted, so there are no rates' },
    ]);
  });

  it('computes the share of pages found in the cache', () => {
    const before = reading(1000, wiredTiger(10, 0, 100, 40));
    expect(ratesBetween(before, reading(2000, wiredTiger(10, 0, 200, 60)))?.cacheHits).toBeCloseTo(0.8);
    expect(ratesBetween(before, reading(2000, wiredTiger(10, 0, 100, 40)))?.cacheHits).toBeUndefined();
  });
});

describe('alertsOf', () => {
  const levels = (change: object, disk?: Storage['disk'], transactions?: object): string[] => {
    const now = reading(2000, { ...change, ...transactions });
    const rates = ratesBetween(reading(1000), now);
    return alertsOf({ now, storage: { ...storage, ...(disk && { disk }) }, ...(rates && { rates }) }).map(
      ({ level, text }) => `${level}: ${text}`,
    );
  };

  it.each<[object, string[]]>([
    [{}, []],
    [{ connections: { current: 79, available: 21 } }, []],
    [{ connections: undefined }, ['warning: the numbers of connections in use and available are unknown']],
    [
      { connections: { current: 80 } },
      ['warning: the numbers of connections in use and available are unknown'],
    ],
    [{ connections: { current: 80, available: 20 } }, ['warning: 80 % of the connections are in use']],
    [{ connections: { current: 95, available: 5 } }, ['critical: 95 % of the connections are in use']],
    [{ globalLock: { currentQueue: { total: 10 } } }, ['warning: 10 operations are waiting for a lock']],
    [wiredTiger(890, 90, 0, 0), []],
    [
      wiredTiger(980, 150, 0, 0),
      ['critical: the cache is 98 % full', 'warning: 15 % of the cache is waiting to be written'],
    ],
    [
      { transactions: { totalCommitted: 12, totalAborted: 2 } },
      ['critical: 50 % of the transactions are aborted'],
    ],
    [{ transactions: { totalCommitted: 100, totalAborted: 2 } }, []],
  ])('returns the alerts for %j', (change, expected) => {
    expect(levels(change)).toEqual(expected);
  });

  it('warns when the disk is nearly full', () => {
    expect(levels({}, { free: 50, total: 1000 })).toEqual(['warning: the disk is 95 % full, 50 B free']);
    expect(levels({}, { free: 500, total: 1000 })).toEqual([]);
  });
});

describe('renderSample', () => {
  it('shows the whole sample', () => {
    const now = reading(3000, { uptime: 7300 });
    const rates = ratesBetween(reading(1000), now);
    const text = renderSample('Database "colloquy"', { now, storage, ...(rates && { rates }) });
    expect(text).toBe(`Database "colloquy" · 1970-01-01T00:00:03.000Z, over 2.0 s

server          7.0.0 (lmdb), up 2 h
connections     5 open, 95 available; 0 operations waiting, 1 cursors and 0 transactions open
operations/s    insert 0.0  query 0.0  update 0.0  delete 0.0  getmore 0.0  command 0.0
transactions/s  committed 0.0  aborted 0.0
network/s       0 B in, 0 B out
cache           the operating system's (files are mapped), 64.0 MiB resident
storage         1,200 documents, 2.0 KiB of data in 4.0 KiB, 1.0 KiB of indexes

collection  documents     data  indexes  largest index
messages        1,200  2.0 KiB  1.0 KiB  tenantId_1 768 B

No alerts.
`);
  });
});
