import { Inject, Injectable } from '@nestjs/common';
import { messageOf } from '../common/index.js';
import {
  ARCHIVE_SETTINGS,
  type ArchiveSettings,
  type RetentionDays,
  type RetentionKind,
} from '../config/index.js';
import { type Archivable, ArchivableRegistry } from '../database/index.js';
import { notFound } from '../http/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { type Tenant, TenantDirectory } from '../tenant/index.js';
import { ArchiveMonitoring } from './archive-monitoring.js';
import { ArchiveRunRepository } from './archive-run.repository.js';
import type { RunRecord, RunRequest, RunResult, RunTotals } from './archive.schema.js';
import { type ArchiveScope, Archiver } from './archiver.js';
import { Failures } from './failures.js';
import { Schedules } from './schedule.js';

const DAY_MS = 86_400_000;

/** Maximum number of results in a report. The totals include all. */
const MAX_RESULTS = 1000;

/** Name of the claim under which data is archived and restored. */
export const ARCHIVE_LEASE = 'archive';

export interface RunHooks {
  signal: AbortSignal;
  /** Called after each tenant and kind. */
  onResult?: (result: RunResult) => void | Promise<void>;
}

/** Archives what the retention policies or a request say. */
@Injectable()
export class ArchiveRunService {
  constructor(
    private readonly archiver: Archiver,
    private readonly runs: ArchiveRunRepository,
    private readonly kinds: ArchivableRegistry,
    private readonly tenants: TenantDirectory,
    private readonly schedules: Schedules,
    private readonly monitoring: ArchiveMonitoring,
    @Inject(ARCHIVE_SETTINGS) private readonly settings: ArchiveSettings,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Runs to the end, and returns its report. Waits for another run. What cannot be archived does
   * not keep other data from it. After an error or an abort, the next run continues; what was archived until
   * then is complete.
   * @throws ProblemError 404 `tenant_not_found`
   */
  async run(request: RunRequest, hooks: RunHooks): Promise<RunRecord> {
    if (request.dryRun) return this.report(request, hooks);
    return this.schedules.exclusively(ARCHIVE_LEASE, hooks.signal, (signal) =>
      this.report(request, { ...hooks, signal }),
    );
  }

  private async report(request: RunRequest, hooks: RunHooks): Promise<RunRecord> {
    const { tenantId } = request;
    // A wrong id is a mistake of the caller's, not a run that failed.
    if (tenantId !== undefined && !(await this.tenants.read(tenantId))) throw notFound('tenant', tenantId);
    const run = await this.runs.begin(request, new Date());
    const begun = performance.now();
    try {
      await this.archiveAll(run, hooks);
      run.state = 'completed';
    } catch (error) {
      run.state = 'failed';
      run.error = messageOf(error);
      throw error;
    } finally {
      run.endedAt = new Date();
      run.totals.durationMs = performance.now() - begun;
      if (!request.dryRun) this.monitoring.ended(run);
      await this.runs.end(run).catch((error: unknown) => {
        this.logger.warn({ err: error }, 'the report of an archive run could not be stored');
      });
    }
    const { archived, rows, freedBytes, archiveBytes } = run.totals;
    if (!request.dryRun)
      this.logger.info({ archived, rows, freedBytes, archiveBytes }, 'archive run completed');
    return run;
  }

  private async archiveAll(run: RunRecord, { signal, onResult }: RunHooks): Promise<void> {
    const { tenantId, kind: wanted, dryRun } = run.request;
    const failures = new Failures(signal);
    if (!dryRun)
      await failures.collect(async () => {
        const resumed = await this.archiver.resume(tenantId, signal);
        if (resumed > 0)
          this.logger.info({ archives: resumed }, 'continued the archives of an interrupted run');
      });
    for await (const tenant of this.tenantsOf(tenantId))
      for (const kind of this.kinds.all()) {
        if (wanted !== undefined && kind.name !== wanted) continue;
        const before = this.dueBefore(run, tenant, kind);
        if (!before) continue;
        const scope = { kind, tenantId: tenant.tenantId, before };
        await failures.collect(async () => {
          const result = await this.archiveOne(scope, dryRun, signal);
          if (!result) return;
          add(run, result);
          await onResult?.(result);
        });
      }
    failures.throwFirst();
  }

  /** Undefined if the tenant was deleted meanwhile. */
  private async archiveOne(
    scope: ArchiveScope,
    dryRun: boolean,
    signal: AbortSignal,
  ): Promise<RunResult | undefined> {
    try {
      return dryRun ? await this.archiver.preview(scope, signal) : await this.archiver.archive(scope, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      const tenant = await this.tenants.read(scope.tenantId);
      if (!tenant || tenant.deletion) return undefined;
      const { kind, tenantId } = scope;
      this.logger.error({ err: error, kind: kind.name, tenantId }, 'data could not be archived');
      throw error;
    }
  }

  private async *tenantsOf(tenantId: string | undefined): AsyncGenerator<Tenant> {
    if (tenantId === undefined) {
      yield* this.tenants.all();
      return;
    }
    const tenant = await this.tenants.read(tenantId);
    if (tenant && !tenant.deletion) yield tenant;
  }

  /** Undefined if the data is kept forever. */
  private dueBefore({ request, startedAt }: RunRecord, tenant: Tenant, kind: Archivable): Date | undefined {
    const days = request.olderThanDays ?? tenant.retention?.[kind.name] ?? this.policy()[kind.name];
    const isForever = days === 0 && request.olderThanDays === undefined;
    return days === undefined || isForever ? undefined : new Date(startedAt.getTime() - days * DAY_MS);
  }

  private policy(): Required<RetentionDays> {
    return {
      conversations: this.settings.RETENTION_CONVERSATIONS_DAYS,
      transcripts: this.settings.RETENTION_TRANSCRIPTS_DAYS,
      jobs: this.settings.RETENTION_JOBS_DAYS,
    } satisfies Record<RetentionKind, number>;
  }
}

function add({ results, totals }: RunRecord, result: RunResult): void {
  const isNotable = result.archived > 0 || result.changed > 0;
  if (isNotable && results.length < MAX_RESULTS) results.push(result);
  for (const name of Object.keys(totals) as (keyof RunTotals)[]) totals[name] += result[name];
}
