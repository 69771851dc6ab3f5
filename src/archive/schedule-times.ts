import { CronTime } from 'cron';

const DAY_MS = 86_400_000;

/** Times are whole seconds. */
const SECOND_MS = 1000;

/** The first time of the schedule that is after `after`. */
export function firstTime(expression: string, timeZone: string, after: Date): Date {
  return timesOf(expression, timeZone)(after);
}

/**
 * The latest time of the schedule that is after `after` and not after `now`, if there is one. Takes few steps,
 * however many times there were: it halves the range in which the latest one is.
 */
export function latestTime(expression: string, timeZone: string, after: Date, now: Date): Date | undefined {
  const next = timesOf(expression, timeZone);
  let latest = next(after);
  if (latest > now) return undefined;
  // There is none between `end` and `now`.
  let end = now.getTime();
  while (end - latest.getTime() >= SECOND_MS) {
    const middle = Math.floor((latest.getTime() + end) / 2);
    const time = next(new Date(middle));
    if (time > now) end = middle;
    else latest = time;
  }
  return latest;
}

/** For how long a run has been due, if the last one began at `last`, milliseconds; 0 if none is due. */
export function overdueMs(expression: string | null, timeZone: string, last: Date, now: Date): number {
  if (expression === null) return 0;
  return Math.max(0, now.getTime() - firstTime(expression, timeZone, last).getTime());
}

/**
 * A function that returns the first time after a given one. `cron` computes the local time, as if there were no
 * changes of clocks: beside these, it returns times that are not after the given one.
 */
function timesOf(expression: string, timeZone: string): (after: Date) => Date {
  const schedule = new CronTime(expression, 'UTC');
  const offsetAt = offsetsOf(timeZone);
  return (after) => {
    for (let local = after.getTime() + offsetAt(after.getTime()); ;) {
      local = schedule.getNextDateFrom(new Date(local), 'UTC').toMillis();
      const time = instantOf(local, offsetAt);
      // Others are the first of two equal local times, if `after` is the second or later.
      if (time > after.getTime()) return new Date(time);
    }
  };
}

/**
 * The instant of a local time, which is in milliseconds as if it were in UTC: the first of two, or the moment at
 * which clocks are put forward past it.
 */
function instantOf(local: number, offsetAt: (time: number) => number): number {
  const before = offsetAt(local - DAY_MS);
  const after = offsetAt(local + DAY_MS);
  const found = [local - before, local - after].find((time) => time + offsetAt(time) === local);
  if (found !== undefined) return found;
  let low = local - after;
  let high = local - before;
  while (high - low > SECOND_MS) {
    const middle = low + Math.floor((high - low) / 2 / SECOND_MS) * SECOND_MS;
    if (offsetAt(middle) === before) low = middle;
    else high = middle;
  }
  return high;
}

/** A function that returns how far a time zone is ahead of UTC at an instant. All in milliseconds. */
function offsetsOf(timeZone: string): (time: number) => number {
  const format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
  return (time) => {
    const name = format.formatToParts(time).find(({ type }) => type === 'timeZoneName')?.value ?? '';
    const [, sign, hours, minutes, seconds] = /([+-])(\d+):(\d+)(?::(\d+))?$/.exec(name) ?? [];
    const size = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60 + Number(seconds ?? 0);
    return (sign === '-' ? -size : size) * SECOND_MS;
  };
}
