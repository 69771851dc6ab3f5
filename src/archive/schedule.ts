import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { CronTime } from 'cron';
import type { Model } from 'mongoose';
import { duplicateKeyFields } from '../database/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { SCHEDULE_MODEL, type ScheduleRecord } from './archive.schema.js';

/** A claim that is not renewed for this long has been lost, milliseconds. */
const LEASE_MS = 60_000;

const RENEW_MS = LEASE_MS / 4;

/** How often a process that waits for the claim tries again. */
const RETRY_MS = 2000;

/**
 * The latest time of the schedule that is after `after` and not after `now`, if there is one.
 *
 * On the day on which clocks are put forward, a time that is left out is replaced by the moment of the
 * change. On the day on which they are put back, only the first of two equal times counts.
 */
export function latestTime(expression: string, timeZone: string, after: Date, now: Date): Date | undefined {
  const schedule = new CronTime(expression, timeZone);
  let latest: Date | undefined;
  let lastLocal = localTime(after, timeZone);
  for (let from = after; ;) {
    const next = schedule.getNextDateFrom(from, timeZone).toJSDate();
    if (next > now) return latest;
    const local = localTime(next, timeZone);
    if (local !== lastLocal) latest = next;
    lastLocal = local;
    from = next;
  }
}

const localTime = (time: Date, timeZone: string): string =>
  time.toLocaleString('en-GB', { timeZone, dateStyle: 'short', timeStyle: 'medium' });

/** The work is being done by another process. */
export class LeaseLostError extends Error {
  constructor(name: string) {
    super(`Another process has taken over "${name}" because this one did not renew its claim in time.`);
    this.name = 'LeaseLostError';
  }
}

/** Makes sure that of several processes, one does what is due or must not be done twice at once. */
@Injectable()
export class Schedules {
  constructor(
    @InjectModel(SCHEDULE_MODEL) private readonly schedules: Model<ScheduleRecord>,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Whether a time of the schedule has come since the last time for which this returned true, in any process.
   * Times that were missed count once. Call it in a transaction with what the time starts, so that both
   * happen or neither. The first call only records the time from which on the schedule applies.
   */
  async claimTime(name: string, expression: string, timeZone: string, now: Date): Promise<Date | undefined> {
    const known = await this.schedules.findById(name).lean<ScheduleRecord>().exec();
    if (!known) {
      await this.create(name, now);
      return undefined;
    }
    const due = latestTime(expression, timeZone, known.startedFor, now);
    if (!due) return undefined;
    const { modifiedCount } = await this.schedules
      .updateOne({ _id: name, startedFor: known.startedFor }, { $set: { startedFor: due } })
      .exec();
    return modifiedCount === 1 ? due : undefined;
  }

  /**
   * Runs work that must not run twice at once, in any process. Waits until no other process is at it.
   * @param work receives a signal that aborts if the claim is lost, or with `signal`
   */
  async exclusively<T>(
    name: string,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const holder = randomUUID();
    await this.create(name, new Date());
    while (!(await this.take(name, holder))) await delay(RETRY_MS, undefined, { signal });
    const lost = new AbortController();
    let heldUntil = performance.now() + LEASE_MS;
    const timer = setInterval(() => {
      const asked = performance.now();
      this.take(name, holder).then(
        (isHeld) => {
          if (isHeld) heldUntil = asked + LEASE_MS;
          else lost.abort(new LeaseLostError(name));
        },
        (error: unknown) => {
          this.logger.warn({ err: error, name }, 'could not renew the claim of a process');
          if (performance.now() > heldUntil) lost.abort(new LeaseLostError(name));
        },
      );
    }, RENEW_MS);
    timer.unref();
    try {
      return await work(AbortSignal.any([signal, lost.signal]));
    } finally {
      clearInterval(timer);
      await this.schedules
        .updateOne({ _id: name, holder }, { $unset: { holder: 1, heldUntil: 1 } })
        .exec()
        .catch((error: unknown) => {
          this.logger.warn({ err: error, name }, 'could not release a claim; it expires');
        });
    }
  }

  private async create(name: string, startedFor: Date): Promise<void> {
    try {
      await this.schedules
        .updateOne({ _id: name }, { $setOnInsert: { startedFor } }, { upsert: true })
        .exec();
    } catch (error) {
      // Another process was first.
      if (!duplicateKeyFields(error)) throw error;
    }
  }

  /** Takes or renews the claim. The database's clock decides, because processes on several hosts compare it. */
  private async take(name: string, holder: string): Promise<boolean> {
    const free = {
      $or: [{ $eq: ['$holder', holder] }, { $lt: [{ $ifNull: ['$heldUntil', new Date(0)] }, '$$NOW'] }],
    };
    const { modifiedCount } = await this.schedules
      .updateOne(
        { _id: name, $expr: free },
        [{ $set: { holder, heldUntil: { $add: ['$$NOW', LEASE_MS] } } }],
        { updatePipeline: true },
      )
      .exec();
    return modifiedCount === 1;
  }
}
