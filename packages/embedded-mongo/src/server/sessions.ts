import type { LogicalSession, SessionStore } from '../commands/host.js';
import type { Transaction } from '../engine/types.js';

const idleLimitMs = 30 * 60 * 1000;

/** A logical session. Commands with a transaction number run one at a time on it. */
export class Session implements LogicalSession {
  txnNumber = -1n;
  state: LogicalSession['state'] = 'none';
  txn: Transaction | undefined;
  txnStartedAt = 0;
  lastUse: number;
  private tail: Promise<void> | undefined;

  constructor(
    readonly lsid: string,
    now: number,
  ) {
    this.lastUse = now;
  }

  /** Waits until the session is available. Call the returned function to release it. */
  async checkOut(): Promise<() => void> {
    const before = this.tail;
    let release!: () => void;
    const mine = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.tail = mine;
    if (before) await before;
    return () => {
      if (this.tail === mine) this.tail = undefined;
      release();
    };
  }
}

interface SessionOptions {
  now: () => number;
  /** Aborts an open transaction of the session and kills its cursors. */
  release: (session: Session) => void;
}

/** The logical sessions of clients. Idle sessions end after 30 minutes. */
export class SessionRegistry implements SessionStore {
  private readonly sessions = new Map<string, Session>();

  constructor(private readonly options: SessionOptions) {}

  touch(lsid: string): Session {
    const now = this.options.now();
    const known = this.sessions.get(lsid);
    if (known) {
      known.lastUse = now;
      return known;
    }
    const session = new Session(lsid, now);
    this.sessions.set(lsid, session);
    return session;
  }

  find(lsid: string): Session | undefined {
    return this.sessions.get(lsid);
  }

  end(lsid: string): void {
    this.kill(lsid);
    this.sessions.delete(lsid);
  }

  kill(lsid: string): void {
    const session = this.sessions.get(lsid);
    if (session) this.options.release(session);
  }

  all(): Session[] {
    return [...this.sessions.values()];
  }

  sweep(): void {
    const oldest = this.options.now() - idleLimitMs;
    for (const session of this.sessions.values()) if (session.lastUse <= oldest) this.end(session.lsid);
  }
}
