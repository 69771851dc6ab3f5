import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { LOGGER, type Logger } from '../logging/index.js';
import { ScheduleRepository } from './schedule.repository.js';
import { latestTime } from './schedule-times.js';

/** A claim that is not renewed for this long has been lost, milliseconds. */
const LEASE_MS = 60_000;

const RENEW_MS = LEASE_MS / 4;

/** How often a process that waits for the claim tries again. */
const RETRY_MS = 2000;

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
    private readonly schedules: ScheduleRepository,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Whether a time of the schedule has come since the last time for which this returned true, in any process.
   * Times that were missed count once. Call it in a transaction with what the time starts, so that both
   * happen or neither. The first call only records the time from which on the schedule applies.
   */
  async claimTime(name: string, expression: string, timeZone: string, now: Date): Promise<Date | undefined> {
    const known = await this.schedules.find(name);
    if (!known) {
      await this.schedules.create(name, now);
      return undefined;
    }
    const due = latestTime(expression, timeZone, known.startedFor, now);
    return due && (await this.schedules.advance(name, known.startedFor, due)) ? due : undefined;
  }

  /**
   * Runs work that must not run twice at once, in any process. Waits until no other process holds the claim.
   * @param work receives a signal that aborts if the claim is lost, or with `signal`
   * @throws the reason of `signal` if it aborts during the wait
   */
  async exclusively<T>(
    name: string,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const holder = randomUUID();
    await this.schedules.create(name, new Date());
    let asked = performance.now();
    while (!(await this.schedules.take(name, holder, LEASE_MS))) {
      // Its own error does not say why.
      await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
      signal.throwIfAborted();
      asked = performance.now();
    }
    const renewals = this.renew(name, holder, asked + LEASE_MS);
    try {
      return await work(AbortSignal.any([signal, renewals.lost]));
    } finally {
      // A renewal that arrived after the release would take the claim again.
      await renewals.stop();
      await this.schedules.release(name, holder).catch((error: unknown) => {
        this.logger.warn({ err: error, name }, 'could not release a claim; it expires');
      });
    }
  }

  /**
   * Renews a claim until it is lost or `stop` is called, which resolves when no renewal is in flight.
   * @param heldUntil when it expires unless renewed, of the clock of `performance`
   */
  private renew(
    name: string,
    holder: string,
    heldUntil: number,
  ): { lost: AbortSignal; stop: () => Promise<void> } {
    const lost = new AbortController();
    let inFlight: Promise<void> | undefined;
    const renewOnce = async (): Promise<void> => {
      const asked = performance.now();
      try {
        if (await this.schedules.take(name, holder, LEASE_MS)) heldUntil = asked + LEASE_MS;
        else lose();
      } catch (error) {
        this.logger.warn({ err: error, name }, 'could not renew the claim of a process');
      } finally {
        inFlight = undefined;
      }
    };
    const timer = setInterval(() => {
      if (performance.now() >= heldUntil) lose();
      else inFlight ??= renewOnce();
    }, RENEW_MS);
    timer.unref();
    const lose = (): void => {
      clearInterval(timer);
      lost.abort(new LeaseLostError(name));
    };
    const stop = async (): Promise<void> => {
      clearInterval(timer);
      await inFlight;
    };
    return { lost: lost.signal, stop };
  }
}
