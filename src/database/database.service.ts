import { Inject, Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import type { Connection, mongo } from 'mongoose';
import { withTimeout } from '../common/index.js';
import { databaseNameOf, type OpenConnection, withoutCredentials } from './connection.js';
import type { StoreHandle } from './embedded-store.js';
import type { CommandEndListener } from './command-monitor.js';
import type { PoolListener, PoolStats } from './pool-monitor.js';
import { GroupCommit, type GroupCommitStats } from './group-commit.js';
import { planOf, type QueryPlan } from './query-plan.js';
import { TransactionRunner, type TransactionStats } from './transaction-runner.js';

export const OPEN_CONNECTION = Symbol('OPEN_CONNECTION');
export const STORE = Symbol('STORE');

export type DatabaseState = 'connected' | 'connecting' | 'disconnecting' | 'disconnected';

export interface DatabaseStats {
  kind: StoreHandle['kind'];
  /** Connection string without credentials. */
  uri: string;
  database: string;
  state: DatabaseState;
  /** How often the connection was lost since start; `reconnects` counts how often it was restored. */
  disconnects: number;
  reconnects: number;
  pool: PoolStats;
  transactions: TransactionStats;
  groupCommit: GroupCommitStats;
}

const states: readonly DatabaseState[] = ['disconnected', 'connected', 'connecting', 'disconnecting'];

@Injectable()
export class DatabaseService {
  private disconnects = 0;
  private reconnects = 0;

  constructor(
    @InjectConnection() private readonly connection: Connection,
    @Inject(OPEN_CONNECTION) private readonly opened: OpenConnection,
    @Inject(STORE) private readonly store: StoreHandle,
    private readonly transactions: TransactionRunner,
    private readonly commits: GroupCommit,
  ) {
    connection.on('disconnected', () => this.disconnects++);
    connection.on('reconnected', () => this.reconnects++);
  }

  get state(): DatabaseState {
    return states[this.connection.readyState] ?? 'disconnected';
  }

  get storeHandle(): Readonly<StoreHandle> {
    return this.store;
  }

  /** Registers listeners for commands and the pool. Commands are only observed when MONITORING is on. */
  observe(listeners: { onEnd: CommandEndListener; pool: PoolListener }): void {
    this.opened.commands?.onEnd(listeners.onEnd);
    this.opened.pool.listen(listeners.pool);
  }

  /**
   * Explains how the server would run a command, without running it. Returns undefined for a command without
   * a query.
   * @throws MongoError when the server cannot be reached or rejects the command
   */
  async explain(databaseName: string, command: mongo.Document): Promise<QueryPlan | undefined> {
    return planOf(this.connection.getClient().db(databaseName), command);
  }

  /**
   * Measures a round trip to the server, in milliseconds.
   * @throws Error when the server does not respond within `timeoutMs`
   */
  async ping(timeoutMs: number): Promise<number> {
    const begun = performance.now();
    await withTimeout(this.connection.getClient().db('admin').command({ ping: 1 }), timeoutMs, () => {
      throw new Error(`no response from the database within ${timeoutMs} ms`);
    });
    return performance.now() - begun;
  }

  stats(): DatabaseStats {
    return {
      kind: this.store.kind,
      uri: withoutCredentials(this.store.uri),
      database: databaseNameOf(this.store.uri),
      state: this.state,
      disconnects: this.disconnects,
      reconnects: this.reconnects,
      pool: this.opened.pool.stats(),
      transactions: this.transactions.stats(),
      groupCommit: this.commits.stats(),
    };
  }
}
