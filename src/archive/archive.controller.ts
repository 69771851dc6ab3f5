import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBearerAuth,
  ApiConflictResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import { AdminOnly, type Page } from '../http/index.js';
import {
  archiveIdParam,
  archivePageSchema,
  archivesQuery,
  type ArchivesQuery,
  type ArchiveView,
  runPageSchema,
  runsQuery,
  type RunsQuery,
  type RunView,
  startedJobSchema,
  type StartedJob,
  startRunBody,
} from './archive.dto.js';
import { archiveRestores, archiveRuns, type RunRequestBody } from './archive.queue.js';
import { ArchiveService } from './archive.service.js';

@ApiTags('archives')
@ApiBearerAuth()
@AdminOnly()
@Controller('v1/archives')
export class ArchiveController {
  constructor(private readonly archives: ArchiveService) {}

  @Get()
  @ApiOperation({ summary: 'List archives, newest first (admin)' })
  @ApiOkResponse({ standardSchema: archivePageSchema })
  list(@Query({ schema: archivesQuery }) query: ArchivesQuery): Promise<Page<ArchiveView>> {
    return this.archives.list(query);
  }

  @Get('runs')
  @ApiOperation({ summary: 'List the reports of archive runs, newest first (admin)' })
  @ApiOkResponse({ standardSchema: runPageSchema })
  runs(@Query({ schema: runsQuery }) query: RunsQuery): Promise<Page<RunView>> {
    return this.archives.listRuns(query);
  }

  @Post('run')
  @HttpCode(202)
  @ApiOperation({
    summary: 'Archive what is due, or everything that is older than some days (admin)',
    description:
      'Runs in the background. With dryRun, it only counts what would be archived. The result of the job has the totals of the run; GET /v1/archives/runs has its report.',
  })
  @ApiAcceptedResponse({ standardSchema: startedJobSchema })
  @ApiNotFoundResponse({ description: '`tenant_not_found`' })
  async run(@Body({ schema: startRunBody }) body: RunRequestBody): Promise<StartedJob> {
    return { jobId: await this.archives.startRun(body), queue: archiveRuns.name };
  }

  @Post(':id/restore')
  @HttpCode(202)
  @ApiOperation({
    summary: 'Move the contents of an archive back into the database (admin)',
    description:
      'Runs in the background. What is stored is never overwritten: the result of the job lists conflicts. Restored data is not archived again for RETENTION_RESTORED_DAYS.',
  })
  @ApiAcceptedResponse({ standardSchema: startedJobSchema })
  @ApiNotFoundResponse({ description: '`archive_not_found`' })
  @ApiConflictResponse({ description: '`archive_not_ready`' })
  async restore(@Param('id', { schema: archiveIdParam }) id: string): Promise<StartedJob> {
    return { jobId: await this.archives.startRestore(id), queue: archiveRestores.name };
  }
}
