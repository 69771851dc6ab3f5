import { Injectable } from '@nestjs/common';
import { type Job, type JobProcessor, ProcessorOf } from '../queue/index.js';
import { ArchiveRunService } from './archive-run.service.js';
import { archiveRuns, type RunRequestBody } from './archive.queue.js';
import { type RunView, runView } from './archive.dto.js';

@Injectable()
@ProcessorOf(archiveRuns)
export class ArchiveRunProcessor implements JobProcessor<RunRequestBody> {
  constructor(private readonly runs: ArchiveRunService) {}

  async process({ payload, signal }: Job<RunRequestBody>): Promise<RunView> {
    return runView(await this.runs.run(payload, { signal }));
  }
}
