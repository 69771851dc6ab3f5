import { Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiConflictResponse,
  ApiNoContentResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import { AdminOnly, type Page } from '../http/index.js';
import { jobIdParam, queueNameParam } from './job.dto.js';
import {
  operatorJobView,
  type OperatorJobView,
  operatorJobViewSchema,
  queueJobsPageSchema,
  queueJobsQuery,
  type QueueJobsQuery,
  queueListSchema,
} from './queue.dto.js';
import { QueueService, type QueueStatus } from './queue.service.js';

/** For operators: the jobs of all tenants. Offers programs what the dashboard offers people. */
@ApiTags('operations')
@ApiBearerAuth()
@AdminOnly()
@Controller('v1/queues')
export class QueueController {
  constructor(private readonly queues: QueueService) {}

  @Get()
  @ApiOperation({ summary: 'List all queues with their job counts (admin)' })
  @ApiOkResponse({ standardSchema: queueListSchema })
  async list(): Promise<{ data: QueueStatus[] }> {
    return { data: await this.queues.statuses() };
  }

  @Get(':queue/jobs')
  @ApiOperation({ summary: 'List the jobs in one state, newest first (admin)' })
  @ApiOkResponse({ standardSchema: queueJobsPageSchema })
  @ApiNotFoundResponse({ description: '`queue_not_found`' })
  async jobs(
    @Param('queue', { schema: queueNameParam }) queue: string,
    @Query({ schema: queueJobsQuery }) { state, limit, cursor }: QueueJobsQuery,
  ): Promise<Page<OperatorJobView>> {
    const { data, nextCursor } = await this.queues.list(queue, state, limit, cursor);
    return { data: data.map(operatorJobView), nextCursor };
  }

  @Get(':queue/jobs/:id')
  @ApiOperation({ summary: 'Get the state, progress and result of a job of any tenant (admin)' })
  @ApiOkResponse({ standardSchema: operatorJobViewSchema })
  @ApiNotFoundResponse({ description: '`queue_not_found`, `job_not_found`' })
  async get(
    @Param('queue', { schema: queueNameParam }) queue: string,
    @Param('id', { schema: jobIdParam }) id: string,
  ): Promise<OperatorJobView> {
    return operatorJobView(await this.queues.present(queue, id));
  }

  @Post(':queue/jobs/:id/retry')
  @HttpCode(200)
  @ApiOperation({ summary: 'Retry a failed job with its attempts reset (admin)' })
  @ApiOkResponse({ standardSchema: operatorJobViewSchema })
  @ApiNotFoundResponse({ description: '`queue_not_found`, `job_not_found`' })
  @ApiConflictResponse({ description: '`job_not_failed`' })
  async retry(
    @Param('queue', { schema: queueNameParam }) queue: string,
    @Param('id', { schema: jobIdParam }) id: string,
  ): Promise<OperatorJobView> {
    return operatorJobView(await this.queues.retry(queue, id));
  }

  @Delete(':queue/jobs/:id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Delete a job that is not running (admin)' })
  @ApiNoContentResponse()
  @ApiNotFoundResponse({ description: '`queue_not_found`, `job_not_found`' })
  @ApiConflictResponse({ description: '`job_active`' })
  async remove(
    @Param('queue', { schema: queueNameParam }) queue: string,
    @Param('id', { schema: jobIdParam }) id: string,
  ): Promise<void> {
    await this.queues.remove(queue, id);
  }
}
