import { LRUCache } from 'lru-cache';
import type { Logger, RequestContext } from '../../logging/index.js';
import { RateLimit, type SlowRun } from '../../monitoring/index.js';
import { type QueryPlan, shapeOf } from '../query-plan.js';

/** A command that took too long, as the driver sent it. */
export interface SlowCommand {
  name: string;
  databaseName: string;
  command: Readonly<Record<string, unknown>>;
  durationMs: number;
  ok: boolean;
}

export interface SlowCommandsOptions {
  logger: Logger;
  /** Called with each slow command that is logged. */
  onSlow?: (run: SlowRun) => void;
  /** Asks the server for the plan of a command; resolves to undefined for a command without a query. */
  explain: (
    databaseName: string,
    command: Readonly<Record<string, unknown>>,
  ) => Promise<QueryPlan | undefined>;
  now?: () => number;
}

/** Limits that keep logging and `explain` from adding load while everything is slow. */
const LINES_PER_SECOND = 20;
const EXPLAINS_PER_MINUTE = 20;
const MINUTE = 60_000;
const MAX_SHAPES = 500;

/** `LIMIT FETCH IXSCAN(name of the index)`. */
const planText = ({ stages, indexes }: QueryPlan): string =>
  stages.join(' ') + (indexes.length > 0 ? `(${indexes.join(', ')})` : '');

/**
 * Logs slow commands by shape, without values, together with their query plan. The server is asked for the
 * plan of a shape at most once a minute; log lines in between contain the last known plan.
 */
export class SlowCommands {
  private readonly plans = new LRUCache<string, { askedAt: number; plan: QueryPlan | undefined }>({
    max: MAX_SHAPES,
  });
  private readonly lines: RateLimit;
  private readonly explains: RateLimit;
  private readonly now: () => number;

  constructor(private readonly options: SlowCommandsOptions) {
    this.now = options.now ?? (() => performance.now());
    this.lines = new RateLimit(LINES_PER_SECOND, 1000, this.now);
    this.explains = new RateLimit(EXPLAINS_PER_MINUTE, MINUTE, this.now);
  }

  /** Resolves when the line has been logged. Never rejects. */
  async note(slow: SlowCommand, context: RequestContext | undefined): Promise<void> {
    const unlogged = this.lines.take();
    if (unlogged === undefined) return;
    const shape = shapeOf(slow.command);
    const plan = await this.planFor(shape, slow);
    const { requestId, tenantId, route } = context ?? {};
    const known = {
      ...(requestId !== undefined && { requestId }),
      ...(tenantId !== undefined && { tenantId }),
      ...(route !== undefined && { route }),
    };
    const durationMs = Math.round(slow.durationMs);
    this.options.onSlow?.({
      kind: 'database',
      what: shape,
      durationMs,
      ...(plan && { plan: planText(plan) }),
      ...known,
    });
    this.options.logger.warn(
      {
        ...known,
        command: slow.name,
        shape,
        durationMs,
        ok: slow.ok,
        ...(plan && { plan }),
        ...(unlogged > 0 && { unlogged }),
      },
      'slow database command',
    );
  }

  private async planFor(
    shape: string,
    { databaseName, command }: SlowCommand,
  ): Promise<QueryPlan | undefined> {
    const known = this.plans.get(shape);
    const isDue = !known || this.now() - known.askedAt >= MINUTE;
    if (!isDue || this.explains.take() === undefined) return known?.plan;
    const entry = { askedAt: this.now(), plan: known?.plan };
    this.plans.set(shape, entry);
    try {
      entry.plan = await this.options.explain(databaseName, command);
    } catch (error) {
      this.options.logger.debug({ err: error, shape }, 'could not get the query plan of a slow command');
    }
    return entry.plan;
  }
}
