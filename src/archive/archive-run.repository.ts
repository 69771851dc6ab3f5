import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { type Model, Types } from 'mongoose';
import { afterCursor } from '../database/index.js';
import type { DateIdCursor } from '../http/index.js';
import { RUN_MODEL, type RunRecord, type RunRequest } from './archive.schema.js';
import { emptyTotals } from './archiver.js';

/** The reports of runs. */
@Injectable()
export class ArchiveRunRepository {
  constructor(@InjectModel(RUN_MODEL) private readonly runs: Model<RunRecord>) {}

  /** Stores a new run. Reports of runs that a crash interrupted are ended: only one run is active at a time. */
  async begin(request: RunRequest, startedAt: Date): Promise<RunRecord> {
    if (!request.dryRun)
      await this.runs
        .updateMany(
          { state: 'running', 'request.dryRun': false },
          { $set: { state: 'failed', endedAt: startedAt, error: 'The process was stopped during the run.' } },
        )
        .exec();
    const run: RunRecord = {
      _id: new Types.ObjectId(),
      state: 'running',
      startedAt,
      request,
      results: [],
      totals: emptyTotals(),
    };
    await this.runs.insertOne(run);
    return run;
  }

  async end({ _id, ...run }: RunRecord): Promise<void> {
    await this.runs.updateOne({ _id }, { $set: run }).exec();
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
      .findOne({
        state: 'completed',
        'request.dryRun': false,
        'request.tenantId': { $exists: false },
        'request.kind': { $exists: false },
      })
      .sort({ startedAt: -1, _id: -1 })
      .lean<RunRecord>()
      .exec();
  }

  latest(): Promise<RunRecord | null> {
    return this.runs
      .findOne({ 'request.dryRun': false, state: { $ne: 'running' } })
      .sort({ startedAt: -1, _id: -1 })
      .lean<RunRecord>()
      .exec();
  }
}
