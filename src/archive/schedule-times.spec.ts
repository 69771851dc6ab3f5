import { CronTime } from 'cron';
import { firstTime, latestTime, overdueMs } from './schedule-times.js';

const at = (text: string): Date => new Date(text);
const weekly = '0 2 * * 0';

describe('the latest time of a schedule', () => {
  it('is undefined until the first time after the given one', () => {
    const after = at('2026-11-29T02:00:00Z');
    expect(latestTime(weekly, 'UTC', after, at('2026-12-06T01:59:59Z'))).toBeUndefined();
    expect(latestTime(weekly, 'UTC', after, at('2026-12-06T02:00:00Z'))).toEqual(at('2026-12-06T02:00:00Z'));
  });

  it('is the last of several that were missed', () => {
    expect(latestTime(weekly, 'UTC', at('2026-11-01T12:00:00Z'), at('2026-11-28T00:00:00Z'))).toEqual(
      at('2026-11-22T02:00:00Z'),
    );
  });

  it('is in the given time zone', () => {
    expect(
      latestTime(weekly, 'America/New_York', at('2026-11-25T00:00:00Z'), at('2026-11-30T00:00:00Z')),
    ).toEqual(at('2026-11-29T07:00:00Z'));
  });

  // Clocks in Berlin are put forward from 02:00 to 03:00 on 2026-03-29, at 01:00 UTC.
  it('is the moment of the change if clocks are put forward past it, once', () => {
    const times: string[] = [];
    let after = at('2026-03-28T12:00:00Z');
    for (let now = after.getTime(); now < at('2026-03-30T12:00:00Z').getTime(); now += 600_000) {
      const time = latestTime('30 2 * * 0', 'Europe/Berlin', after, new Date(now));
      if (!time) continue;
      times.push(time.toISOString());
      after = time;
    }
    expect(times).toEqual(['2026-03-29T01:00:00.000Z']);
  });

  // Clocks in Berlin are put back from 03:00 to 02:00 on 2026-10-25, at 01:00 UTC: 02:30 comes twice.
  it.each(['30 2 * * 0', '30 2 * * *'])('comes once if clocks are put back across it (%s)', (expression) => {
    const times: string[] = [];
    let after = at('2026-10-24T12:00:00Z');
    for (let now = after.getTime(); now < at('2026-10-25T12:00:00Z').getTime(); now += 600_000) {
      const time = latestTime(expression, 'Europe/Berlin', after, new Date(now));
      if (!time) continue;
      times.push(time.toISOString());
      after = time;
    }
    expect(times).toEqual(['2026-10-25T00:30:00.000Z']);
  });

  it('is the right one of a great many, after few steps', () => {
    const next = jest.spyOn(CronTime.prototype, 'getNextDateFrom');
    expect(
      latestTime('*/5 * * * *', 'UTC', at('2016-01-01T00:00:00Z'), at('2026-11-28T12:04:59.999Z')),
    ).toEqual(at('2026-11-28T12:00:00Z'));
    expect(next.mock.calls.length).toBeLessThan(50);
    next.mockRestore();
  });

  it('is `now` if that is one of the times', () => {
    const now = at('2026-11-28T12:04:59Z');
    expect(latestTime('* * * * * *', 'UTC', at('2026-11-28T12:00:00.500Z'), now)).toEqual(now);
  });
});

describe('the first time of a schedule', () => {
  it('is the oldest of several that were missed', () => {
    expect(firstTime(weekly, 'UTC', at('2026-11-01T02:00:00Z'))).toEqual(at('2026-11-08T02:00:00Z'));
  });

  // Clocks in Berlin are put back from 03:00 to 02:00 on 2026-10-25, at 01:00 UTC.
  it.each([
    ['2026-10-25T00:45:00Z', '2026-10-25T00:50:00Z'],
    ['2026-10-25T00:55:00Z', '2026-10-25T02:00:00Z'],
    ['2026-10-25T01:00:00Z', '2026-10-25T02:00:00Z'],
    ['2026-10-25T01:20:00Z', '2026-10-25T02:00:00Z'],
    ['2026-10-25T02:00:00Z', '2026-10-25T02:05:00Z'],
  ])('is not the second of two equal local times (after %s)', (after, first) => {
    expect(firstTime('*/5 * * * *', 'Europe/Berlin', at(after))).toEqual(at(first));
  });

  it.each([
    ['Australia/Lord_Howe', '2026-10-03T00:00:00Z', '2026-10-03T15:30:00Z'],
    ['America/New_York', '2026-03-08T00:00:00Z', '2026-03-08T07:00:00Z'],
  ])('is the moment at which the clocks of %s are put forward past it', (zone, after, first) => {
    expect(firstTime('15 2 * * *', zone, at(after))).toEqual(at(first));
  });
});

describe('how long a run is overdue', () => {
  const daily = '30 3 * * *';
  const last = at('2026-11-01T03:30:02Z');

  it('grows from the first time that was missed, also across further ones', () => {
    const overdueAt = (now: string): number => overdueMs(daily, 'UTC', last, at(now)) / 3_600_000;
    expect(overdueAt('2026-11-02T03:00:00Z')).toBe(0);
    expect(overdueAt('2026-11-02T09:30:00Z')).toBe(6);
    expect(overdueAt('2026-11-30T03:30:00Z')).toBe(28 * 24);
    expect(overdueAt('2026-11-30T04:30:00Z')).toBe(28 * 24 + 1);
  });

  it('is 0 without a schedule', () => {
    expect(overdueMs(null, 'UTC', last, at('2027-11-02T03:00:00Z'))).toBe(0);
  });
});
