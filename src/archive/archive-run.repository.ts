import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { type Model, Types } from 'mongoose';
import { afterCursor } from '../database/index.js';
import type { DateIdCursor } from '../http/index.js';
import { RUN_MODEL, type RunRecord, type RunRequest, type RunScope } from './archive.schema.js';
import { emptyTotals } from './archiver.js';

const changing: RunScope[] = ['all', 'part'];

/** A dry run whose report has not ended after this time was stopped, milliseconds. */
const DRY_RUN_MS = 86_400_000;

const STOPPED = 'The process was stopped during the run.';

function scopeOf({ dryRun, ...limits }: RunRequest): RunScope {
  if (dryRun) return 'dryRun';
  return Object.values(limits).every((limit) => limit === undefined) ? 'all' : 'part';
}

/** The failed runs that a completed one makes up for. */
function failuresBefore({ scope, request, startedAt }: Omit<RunRecord, '_id'>) {
  const failed = { state: 'failed' as const, startedAt: { $lte: startedAt }, isResolved: { $ne: true } };
  if (scope === 'all') return { ...failed, scope: { $in: changing } };
  // null also finds reports without the member.
  return {
    ...failed,
    scope,
    'request.tenantId': request.tenantId ?? null,
    'request.kind': request.kind ?? null,
    'request.olderThanDays': request.olderThanDays ?? null,
  };
}

/** The reports of runs. */
@Injectable()
export class ArchiveRunRepository {
  constructor(@InjectModel(RUN_MODEL) private readonly runs: Model<RunRecord>) {}

  /**
   * Stores a new run. Reports of runs that a crash interrupted are ended: only one run that changes data is active
   * at a time, and a dry run takes less than a day.
   */
  async begin(request: RunRequest, startedAt: Date): Promise<RunRecord> {
    const ended = { $set: { state: 'failed', endedAt: startedAt, error: STOPPED } };
    const longAgo = new Date(startedAt.getTime() - DRY_RUN_MS);
    if (!request.dryRun)
      await this.runs.updateMany({ scope: { $in: changing }, state: 'running' }, ended).exec();
    await this.runs
      .updateMany({ scope: 'dryRun', state: 'running', startedAt: { $lt: longAgo } }, ended)
      .exec();
    const run: RunRecord = {
      _id: new Types.ObjectId(),
      scope: scopeOf(request),
      state: 'running',
      startedAt,
      request,
      results: [],
      totals: emptyTotals(),
      named: request.tenantId === undefined ? [] : [request.tenantId],
    };
    await this.runs.insertOne(run);
    return run;
  }

  /** Stores how a run ended. If it completed, earlier failures that it makes up for are resolved. */
  async end({ _id, ...run }: RunRecord): Promise<void> {
    // First, because a run of which only the end is missing is counted as failed, and not forgotten.
    if (run.state === 'completed' && run.scope !== 'dryRun')
      await this.runs.updateMany(failuresBefore(run), { $set: { isResolved: true } }).exec();
    const named = new Set([...run.named, ...run.results.map(({ tenantId }) => tenantId)]);
    await this.runs.updateOne({ _id }, { $set: { ...run, named: [...named] } }).exec();
  }

  /** Removes what reports say about a tenant that is deleted, and reports that are about it alone. */
  async forgetTenant(tenantId: string): Promise<void> {
    const about = { named: tenantId };
    await this.runs.deleteMany({ ...about, 'request.tenantId': tenantId }).exec();
    await this.runs.updateMany(about, { $pull: { named: tenantId, results: { tenantId } } }).exec();
  }

  /** Newest first. */
  list(limit: number, cursor?: DateIdCursor): Promise<RunRecord[]> {
    return this.runs
      .find(afterCursor('startedAt', cursor))
      .sort({ startedAt: -1, _id: -1 })
      .limit(limit)
      .lean<RunRecord[]>()
      .exec();
  }

  /** The latest run that archived everything that was due, if it is still known. */
  latestCompleted(): Promise<RunRecord | null> {
    return this.runs
      .findOne({ scope: 'all', state: 'completed' })
      .sort({ startedAt: -1, _id: -1 })
      .lean<RunRecord>()
      .exec();
  }

  /** Whether a run failed after which none with the same request and none of everything has completed. */
  async hasUnresolvedFailure(): Promise<boolean> {
    const failed = { scope: { $in: changing }, state: 'failed' as const, isResolved: { $ne: true } };
    return (await this.runs.exists(failed).exec()) !== null;
  }
}
