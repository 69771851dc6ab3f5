import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { type Model, Types } from 'mongoose';
import { afterCursor } from '../database/index.js';
import type { DateIdCursor } from '../http/index.js';
import { RUN_MODEL, type RunRecord, type RunRequest, type RunScope } from './archive.schema.js';
import { emptyTotals } from './archiver.js';

const changing: RunScope[] = ['all', 'part'];

function scopeOf({ dryRun, ...limits }: RunRequest): RunScope {
  if (dryRun) return 'dryRun';
  return Object.values(limits).every((limit) => limit === undefined) ? 'all' : 'part';
}

/** The reports of runs. */
@Injectable()
export class ArchiveRunRepository {
  constructor(@InjectModel(RUN_MODEL) private readonly runs: Model<RunRecord>) {}

  /** Stores a new run. Reports of runs that a crash interrupted are ended: only one run is active at a time. */
  async begin(request: RunRequest, startedAt: Date): Promise<RunRecord> {
    if (!request.dryRun)
      await this.runs
        .updateMany(
          { scope: { $in: changing }, state: 'running' },
          { $set: { state: 'failed', endedAt: startedAt, error: 'The process was stopped during the run.' } },
        )
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

  async end({ _id, ...run }: RunRecord): Promise<void> {
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

  /** The latest run that has ended. */
  latest(): Promise<RunRecord | null> {
    return this.runs
      .findOne({ scope: { $in: changing }, state: { $in: ['completed', 'failed'] } })
      .sort({ startedAt: -1, _id: -1 })
      .lean<RunRecord>()
      .exec();
  }
}
