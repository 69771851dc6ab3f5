import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { mongo } from 'mongoose';
import { withTimeout } from '../common/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { type OwnProcess, ProcessRepository } from './process.repository.js';
import type { ProcessRecord, ProcessRole } from './process.schema.js';

export const PROCESS_ROLE = Symbol('PROCESS_ROLE');

const BEAT_MS = 5000;

/** A process without a heartbeat for this long is considered dead. */
const EXPIRED_MS = 15_000;

/**
 * The same for a process with our host name but another pid namespace, which is usually a restarted
 * container.
 */
const NEIGHBOUR_EXPIRED_MS = 7500;

/** How long `otherServersAlive` reuses what it read. */
const FRESH_MS = 1000;

/** The driver does not reuse a server session that was idle for longer. */
const SESSION_IDLE_MS = 30 * 60_000;

/** A shutdown waits no longer than this for the row to be deleted. A row that remains expires. */
const LEAVE_MS = 1000;

type SessionId = NonNullable<mongo.ClientSession['id']>;

const known = Promise.resolve();

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM means that it is running as another user.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/**
 * Identifies the boot of the machine and the pid namespace. Empty on systems that do not report them; then
 * processes can only be matched by host name.
 */
function pidSpace(): string {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return '';
  }
}

/**
 * Registers the processes of this deployment. Each has a row in the database, which it refreshes every few
 * seconds.
 *
 * A killed process leaves its transactions open on the server and the documents they changed locked, until
 * the server's `transactionLifetimeLimitSeconds` (60 by default) has passed. Each process therefore records
 * the server sessions that it uses, and another process ends the sessions of a dead one. A process that
 * shares its pid namespace does so as soon as it notices. A process on a host of the same name, such as a
 * restarted container, does so after 7.5 s without a heartbeat, and any other process after 15 s.
 */
@Injectable()
export class ProcessRegistry implements OnModuleInit {
  private readonly self: OwnProcess;
  /** Server sessions used since the last rotation; `earlier` holds those used before it. */
  private recent = new Set<SessionId>();
  private earlier = new Set<SessionId>();
  private rotatedAt = performance.now();
  private timer: NodeJS.Timeout | undefined;
  private beating: Promise<void> | undefined;
  private readonly stopped = new AbortController();
  private otherServers: { read: Promise<boolean>; begunAt: number } | undefined;

  constructor(
    private readonly processes: ProcessRepository,
    @Inject(PROCESS_ROLE) role: ProcessRole,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.self = {
      _id: randomUUID(),
      host: hostname(),
      pid: process.pid,
      pidSpace: pidSpace(),
      role,
      startedAt: new Date(),
    };
  }

  /**
   * Makes the process known to all others before it listens, and ends the transactions of its dead
   * predecessors.
   */
  async onModuleInit(): Promise<void> {
    await this.beat();
    this.timer = setInterval(() => {
      this.beating ??= this.beat()
        .catch((error: unknown) => {
          this.logger.debug({ err: error }, 'this process could not refresh its row; it will retry');
        })
        .finally(() => (this.beating = undefined));
    }, BEAT_MS);
    this.timer.unref();
    // For this long, other processes may rely on a read that did not include this process.
    if (await this.processes.hasOtherServers(this.self._id)) await this.pause(FRESH_MS * 1.1);
  }

  /**
   * Must be called before a transaction starts on the session. Stores the id of its server session first if
   * it is new, which is rare because the driver reuses server sessions.
   */
  remember({ id }: Pick<mongo.ClientSession, 'id'>): Promise<void> {
    if (!id || this.recent.has(id)) return known;
    if (this.earlier.has(id)) {
      this.recent.add(id);
      return known;
    }
    return this.store(id);
  }

  /**
   * Whether other processes may be serving requests. Reads the database at most once per second. No process
   * serves requests within a second of its registration, so `false` is never outdated. Workers and tools do
   * not count.
   */
  otherServersAlive(): Promise<boolean> {
    const now = performance.now();
    if (this.otherServers && now - this.otherServers.begunAt <= FRESH_MS) return this.otherServers.read;
    const read = this.processes.hasOtherServers(this.self._id);
    this.otherServers = { read, begunAt: now };
    read.catch(() => (this.otherServers = undefined));
    return read;
  }

  /** Refreshes the row, and ends the sessions of dead processes. */
  async beat(): Promise<void> {
    const now = await this.processes.beat(this.self, this.sessionIds());
    await this.rotate();
    const dead = await this.processes.silentSince(new Date(now.getTime() - EXPIRED_MS));
    const neighbours = await this.processes.onHost(this.self.host);
    const found = new Map(
      [...dead, ...neighbours.filter((row) => this.isGone(row, now))].map((row) => [row._id, row]),
    );
    found.delete(this.self._id);
    for (const row of found.values()) await this.end(row);
  }

  /** Deletes the row. The process must not run transactions after this call. */
  async leave(): Promise<void> {
    clearInterval(this.timer);
    this.stopped.abort();
    await this.beating;
    const removed = this.processes.remove(this.self._id).catch((error: unknown) => {
      this.logger.debug({ err: error }, 'the row of this process could not be deleted; it will expire');
    });
    await withTimeout(removed, LEAVE_MS, () => undefined);
  }

  /**
   * Whether a process on a host with our name is no longer running. One with our own pid must have run before
   * us.
   */
  private isGone({ pid, pidSpace: space, startedAt, beatAt }: ProcessRecord, now: Date): boolean {
    if (space !== this.self.pidSpace) return now.getTime() - beatAt.getTime() > NEIGHBOUR_EXPIRED_MS;
    return pid === process.pid ? startedAt.getTime() < performance.timeOrigin : !isRunning(pid);
  }

  private async end({ _id, host, pid, role, beatAt, sessions }: ProcessRecord): Promise<void> {
    try {
      if (sessions.length > 0) await this.processes.killSessions(sessions);
    } catch (error) {
      if (!(error instanceof mongo.MongoServerError)) throw error;
      this.logger.warn(
        { err: error, host, pid },
        'could not end the sessions of a dead process; its transactions end after transactionLifetimeLimitSeconds',
      );
    }
    await this.processes.remove(_id, beatAt);
    this.logger.info({ host, pid, role, sessions: sessions.length }, 'ended the sessions of a dead process');
  }

  private async store(id: SessionId): Promise<void> {
    this.recent.add(id);
    try {
      const isStored = await this.processes.addSession(this.self._id, id.id);
      // Not registered yet, or considered dead while its event loop or the database was blocked.
      if (!isStored) await this.processes.beat(this.self, this.sessionIds());
    } catch (error) {
      this.recent.delete(id);
      throw error;
    }
  }

  /** Forgets server sessions that the driver has discarded. */
  private async rotate(): Promise<void> {
    if (performance.now() - this.rotatedAt < SESSION_IDLE_MS) return;
    this.rotatedAt = performance.now();
    const dropped = [...this.earlier].filter((id) => !this.recent.has(id));
    this.earlier = this.recent;
    this.recent = new Set();
    if (dropped.length > 0)
      await this.processes.removeSessions(
        this.self._id,
        dropped.map(({ id }) => id),
      );
  }

  private sessionIds(): mongo.Binary[] {
    return [...new Set([...this.earlier, ...this.recent])].map(({ id }) => id);
  }

  private async pause(ms: number): Promise<void> {
    await delay(ms, undefined, { ref: false, signal: this.stopped.signal }).catch(() => undefined);
  }
}
