import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { ProblemError } from '../../http/index.js';
import { LOGGER, type Logger } from '../../logging/index.js';
import { SessionService } from '../../session/index.js';
import { add, type Counts, type Later, ParticipantDataRegistry } from './participant-data.js';
import { erasureUnfinished } from './participant-data.errors.js';
import { ParticipantErasureRepository, type PendingErasure } from './participant-erasure.repository.js';
import { ParticipantHashes } from './participant-hashes.js';

const SWEEP_INTERVAL_MS = 60_000;

/** Maximum number of erasures that one sweep finishes; the next sweep continues. */
const SWEEP_LIMIT = 1000;

/** Participants whose ids are read and hashed at once. */
const WALKED_AT_ONCE = 500;

/** Passes that do not wait for messages in progress. In most cases the first one leaves nothing. */
const UNSERIALIZED_PASSES = 2;
const MAX_PASSES = 10;

export interface Receipt {
  participantId: string;
  /** Everything that was stored before this time was erased. */
  erasedAt: Date;
  removed: Counts;
  /** Counted after the erasure, under the same names: all zero. */
  remaining: Counts;
  later: Later[];
}

interface Pass {
  removed: Counts;
  remaining: Counts;
  countedAt: Date;
}

const isNothing = (counts: Counts): boolean => Object.values(counts).every((count) => count === 0);

/**
 * Erases everything that modules hold of a participant. The erasure is stored first and ends when a count finds
 * nothing, so one that a crash interrupts is finished by the next sweep of any process. Every step may be repeated.
 *
 * What the participant sends meanwhile is erased as well. A message that is committed after the last count begins a
 * new conversation and a new session.
 */
@Injectable()
export class ParticipantEraser implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly stopping = new AbortController();
  /** Erasures in progress in this process, by tenant and participant. */
  private readonly running = new Map<string, Promise<Receipt>>();
  private sweeping: Promise<number> | undefined;

  constructor(
    private readonly registry: ParticipantDataRegistry,
    private readonly erasures: ParticipantErasureRepository,
    private readonly hashes: ParticipantHashes,
    private readonly sessions: SessionService,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    void this.scheduledSweep();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort(erasureUnfinished());
    await Promise.allSettled([this.sweeping, ...this.running.values()]);
  }

  /**
   * Concurrent calls for one participant share an erasure. For a participant of whom nothing is stored, all counts
   * are zero.
   * @throws ProblemError 503 `erasure_unfinished`; then the sweep continues it
   */
  erase(tenantId: string, participantId: string): Promise<Receipt> {
    const key = `${tenantId}\0${participantId}`;
    let erasure = this.running.get(key);
    if (!erasure) {
      erasure = this.run(tenantId, participantId).finally(() => this.running.delete(key));
      this.running.set(key, erasure);
    }
    return erasure;
  }

  /**
   * When each of these participants was erased last, by participantId; without those who never were. Whoever stores
   * older data again, for example from an archive, must leave out what is older than that.
   */
  async erasedAt(tenantId: string, participantIds: readonly string[]): Promise<Map<string, Date>> {
    const byHash = new Map<string, string>();
    for (const id of participantIds) byHash.set(await this.hashes.of(tenantId, id), id);
    const erased = new Map<string, Date>();
    for (const { participantHash, erasedAt } of await this.erasures.of(tenantId, [...byHash.keys()])) {
      const id = byHash.get(participantHash);
      if (id !== undefined) erased.set(id, erasedAt);
    }
    return erased;
  }

  /** Hashes of the tenant's participants whose erasure is not done. */
  async pendingHashes(tenantId: string): Promise<string[]> {
    const pending = await this.erasures.pending(SWEEP_LIMIT);
    return pending.flatMap((row) => (row.tenantId === tenantId ? [row.participantHash] : []));
  }

  @Interval('participant-erasure-sweep', SWEEP_INTERVAL_MS)
  async scheduledSweep(): Promise<void> {
    try {
      const finished = await this.sweep();
      if (finished > 0) this.logger.info({ finished }, 'finished interrupted erasures of participants');
    } catch (error) {
      if (!this.stopping.signal.aborted)
        this.logger.error({ err: error }, 'the sweep of unfinished erasures failed; the next sweep retries');
    }
  }

  /** Finishes pending erasures and returns their number. Runs only once at a time per process. */
  sweep(): Promise<number> {
    this.sweeping ??= this.finishPending().finally(() => (this.sweeping = undefined));
    return this.sweeping;
  }

  private async run(tenantId: string, participantId: string): Promise<Receipt> {
    const participantHash = await this.hashes.of(tenantId, participantId);
    await this.erasures.begin({ tenantId, participantHash, participantId, erasedAt: new Date() });
    const removed: Counts = {};
    const pass = (): Promise<Pass> => this.pass(tenantId, participantId, removed);
    for (let number = 1; number <= MAX_PASSES; number++) {
      const { remaining, countedAt } =
        // The later passes let no message of the participant be processed in this process.
        await (number <= UNSERIALIZED_PASSES
          ? pass()
          : this.sessions.serialize(tenantId, participantId, pass));
      if (!isNothing(remaining)) continue;
      await this.erasures.end(tenantId, participantHash, countedAt, removed);
      void this.refreshSession(tenantId, participantId);
      const later = this.registry.later(tenantId);
      return { participantId, erasedAt: countedAt, removed, remaining, later };
    }
    throw erasureUnfinished();
  }

  /**
   * A message that was committed just before its session was erased puts it into the memory of this process
   * afterwards. It is never returned as the current one, but it must not stay there.
   */
  private async refreshSession(tenantId: string, participantId: string): Promise<void> {
    try {
      await this.sessions.serialize(tenantId, participantId, () =>
        this.sessions.reload(tenantId, participantId),
      );
    } catch (error) {
      this.logger.warn({ err: error, tenantId }, 'the copy of an erased session in memory was not refreshed');
    }
  }

  /**
   * Erases what is there, adds its number to `removed`, and counts what remains. Data that cannot be erased does not
   * keep the other from it.
   * @throws ProblemError 503 `erasure_unfinished`
   */
  private async pass(tenantId: string, participantId: string, removed: Counts): Promise<Pass> {
    const { signal } = this.stopping;
    const failures: unknown[] = [];
    for (const data of this.registry.all()) {
      signal.throwIfAborted();
      try {
        add(removed, await data.erase(tenantId, participantId, signal));
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof ProblemError))
          this.logger.error(
            { err: error, tenantId, data: data.name },
            'data of a participant was not erased',
          );
        failures.push(error);
      }
    }
    if (failures.length > 0) throw erasureUnfinished(failures[0]);
    const countedAt = new Date();
    const remaining = await this.registry.count(tenantId, participantId);
    for (const name of Object.keys(removed))
      if (remaining[name] === undefined)
        throw new Error(`"${name}" of a participant is erased, but not counted afterwards`);
    for (const name of Object.keys(remaining)) removed[name] ??= 0;
    return { removed, remaining, countedAt };
  }

  private async finishPending(): Promise<number> {
    const pending = await this.erasures.pending(SWEEP_LIMIT);
    let finished = 0;
    const unnamed = new Map<string, PendingErasure[]>();
    for (const row of pending) {
      const { tenantId, participantId } = row;
      if (participantId === undefined) {
        unnamed.set(tenantId, [...(unnamed.get(tenantId) ?? []), row]);
        continue;
      }
      if (await this.tried(tenantId, () => this.erase(tenantId, participantId))) finished++;
    }
    for (const [tenantId, rows] of unnamed)
      if (await this.tried(tenantId, () => this.eraseUnnamed(tenantId, rows))) finished += rows.length;
    return finished;
  }

  /** One erasure that fails does not keep the sweep from the others. */
  private async tried(tenantId: string, work: () => Promise<unknown>): Promise<boolean> {
    this.stopping.signal.throwIfAborted();
    try {
      await work();
      return true;
    } catch (error) {
      this.stopping.signal.throwIfAborted();
      this.logger.error({ err: error, tenantId }, 'an erasure could not be finished; the next sweep retries');
      return false;
    }
  }

  /** Finds the participants of rows that have only a hash, by hashing the ids of all participants of the tenant. */
  private async eraseUnnamed(tenantId: string, rows: readonly PendingErasure[]): Promise<void> {
    const wanted = new Map(rows.map((row) => [row.participantHash, row]));
    for (const data of this.registry.all()) {
      let ids: string[] = [];
      do {
        this.stopping.signal.throwIfAborted();
        ids = (await data.participantIds?.(tenantId, ids.at(-1) ?? '', WALKED_AT_ONCE)) ?? [];
        for (const participantId of ids) {
          const hash = await this.hashes.of(tenantId, participantId);
          if (wanted.has(hash)) await this.erase(tenantId, participantId);
        }
      } while (ids.length > 0);
    }
    // Those that were found are done already.
    for (const { participantHash, erasedAt } of rows)
      await this.erasures.end(tenantId, participantHash, erasedAt, {});
  }
}
