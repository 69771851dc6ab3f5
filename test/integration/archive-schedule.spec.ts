import { SchedulerRegistry } from '@nestjs/schedule';
import { ArchiveScheduler } from '../../src/archive/index.js';
import { archiveRuns } from '../../src/archive/archive.queue.js';
import { Schedules } from '../../src/archive/schedule.js';
import { createTestApp, type TestApp } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let database: TestDatabase;
let apps: TestApp[];
const settings = { ARCHIVE_SCHEDULE: '30 2 * * *', ARCHIVE_TIME_ZONE: 'Europe/Berlin' };

beforeAll(async () => {
  database = createTestDatabase();
  apps = [
    await createTestApp(settings, { database }),
    await createTestApp(settings, { database }),
    await createTestApp({ ...settings, ARCHIVE_SCHEDULE: 'off' }, { database }),
  ];
});
beforeEach(async () => {
  // Only the tests look at the time.
  for (const { app } of apps)
    if (app.get(SchedulerRegistry).doesExist('interval', 'archive-schedule'))
      app.get(SchedulerRegistry).deleteInterval('archive-schedule');
  await database.collection('schedules').deleteMany({});
  await database.collection('jobs').deleteMany({});
});
afterAll(async () => {
  for (const app of apps) await app.close();
  await database.drop();
});

const check = async (now: Date): Promise<number> => {
  const started = await Promise.all(apps.map(({ app }) => app.get(ArchiveScheduler).startIfDue(now)));
  return started.flat().length;
};
const jobs = (): Promise<number> => database.collection('jobs').countDocuments({ queue: archiveRuns.name });
/** Ends the jobs, so that a further one is not taken for the same. */
const finishJobs = () =>
  database.collection('jobs').updateMany({}, { $set: { state: 'completed' }, $unset: { dedupeKey: 1 } });

it.each([
  ['an ordinary day', '2026-11-10T00:00:00Z', '2026-11-11T00:00:00Z'],
  ['the day on which clocks are put forward', '2026-03-28T22:00:00Z', '2026-03-29T21:00:00Z'],
  ['the day on which clocks are put back', '2026-10-24T22:00:00Z', '2026-10-25T23:00:00Z'],
])('enqueues one run on %s, whichever process notices first', async (_day, begin, end) => {
  let started = 0;
  for (let now = Date.parse(begin); now < Date.parse(end); now += 900_000) {
    started += await check(new Date(now));
    await finishJobs();
  }
  expect(started).toBe(1);
  expect(await jobs()).toBe(1);
});

it('makes up for missed times once', async () => {
  await check(new Date('2026-11-10T12:00:00Z'));
  expect(await check(new Date('2026-11-20T12:00:00Z'))).toBe(1);
  await finishJobs();
  expect(await check(new Date('2026-11-20T12:01:00Z'))).toBe(0);
  expect(await jobs()).toBe(1);
});

it('enqueues no run if it cannot take note of it, and the other way round', async () => {
  await check(new Date('2026-11-10T12:00:00Z'));
  await database.collection('jobs').createIndex({ queue: 1 }, { unique: true, name: 'one' });
  await database.collection<{ queue: string }>('jobs').insertOne({ queue: archiveRuns.name });
  const [first] = apps;
  await expect(
    first?.app.get(ArchiveScheduler).startIfDue(new Date('2026-11-11T12:00:00Z')),
  ).rejects.toThrow();
  await database.collection('jobs').dropIndex('one');
  await database.collection('jobs').deleteMany({});
  expect(await check(new Date('2026-11-11T12:00:00Z'))).toBe(1);
});

describe('exclusive work', () => {
  const none = new AbortController().signal;
  const [one, other] = [0, 1].map((at) => () => apps[at]?.app.get(Schedules)) as [
    () => Schedules,
    () => Schedules,
  ];

  it('does not run twice at once, in whatever process', async () => {
    let running = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
    };
    await Promise.all([one(), other(), one()].map((schedules) => schedules.exclusively('w', none, work)));
    expect(most).toBe(1);
  });

  it('begins when the claim of a dead process has expired', async () => {
    await database.collection<{ _id: string }>('schedules').insertOne({
      _id: 'w',
      ...{ startedFor: new Date(), holder: 'dead', heldUntil: new Date(Date.now() - 1) },
    });
    expect(await one().exclusively('w', none, () => Promise.resolve('done'))).toBe('done');
  });

  it('ends the wait with the reason if it is aborted', async () => {
    const until = new Date(Date.now() + 3_600_000);
    await database
      .collection<{ _id: string }>('schedules')
      .insertOne({ _id: 'w', ...{ startedFor: new Date(), holder: 'busy', heldUntil: until } });
    const stop = new AbortController();
    const waiting = one().exclusively('w', stop.signal, () => Promise.resolve());
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });
});
