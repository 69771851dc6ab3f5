import { Injectable } from '@nestjs/common';
import { ProblemError } from '../http/index.js';
import { type Job, type JobProcessor, ProcessorOf, UnrecoverableError } from '../queue/index.js';
import { ArchiveRunService } from './archive-run.service.js';
import { archiveRuns, type RunRequestBody } from './archive.queue.js';
import { type RunView, runView } from './archive.dto.js';

@Injectable()
@ProcessorOf(archiveRuns)
export class ArchiveRunProcessor implements JobProcessor<RunRequestBody> {
  constructor(private readonly runs: ArchiveRunService) {}

  /** The result names no tenant, because it is kept longer than one that is deleted; the report does. */
  async process({ payload, signal }: Job<RunRequestBody>): Promise<Pick<RunView, 'id' | 'state' | 'totals'>> {
    try {
      const { id, state, totals } = runView(await this.runs.run(payload, { signal }));
      return { id, state, totals };
    } catch (error) {
      // The tenant was deleted in the meantime.
      if (error instanceof ProblemError && error.problem.status === 404)
        throw new UnrecoverableError(error.message);
      throw error;
    }
  }
}
