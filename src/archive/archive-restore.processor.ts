import { Injectable } from '@nestjs/common';
import { type Job, type JobProcessor, ProcessorOf, UnrecoverableError } from '../queue/index.js';
import { ProblemError } from '../http/index.js';
import type { RestoreReport } from './archive-restorer.js';
import { archiveRestores, type RestoreRequest } from './archive.queue.js';
import { ArchiveService } from './archive.service.js';

@Injectable()
@ProcessorOf(archiveRestores)
export class ArchiveRestoreProcessor implements JobProcessor<RestoreRequest> {
  constructor(private readonly archives: ArchiveService) {}

  async process(job: Job<RestoreRequest>): Promise<RestoreReport> {
    try {
      return await this.archives.restore(job.payload.archiveId, job.signal, (percent) =>
        job.progress(percent),
      );
    } catch (error) {
      // It was deleted in the meantime.
      if (error instanceof ProblemError && error.problem.status === 404)
        throw new UnrecoverableError(error.message);
      throw error;
    }
  }
}
