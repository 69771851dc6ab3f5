import { latestTime } from './schedule.js';

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
    expect(times).toHaveLength(1);
    expect(times[0]).toMatch(/^2026-03-29T01:/);
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
});
