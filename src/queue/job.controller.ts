import { Controller, Get, Param } from '@nestjs/common';
import { ApiBearerAuth, ApiNotFoundResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentTenant, type TenantIdentity } from '../tenant/index.js';
import { jobIdParam, jobView, type JobView, jobViewSchema, queueNameParam } from './job.dto.js';
import { QueueService } from './queue.service.js';

@ApiTags('jobs')
@ApiBearerAuth()
@Controller('v1/jobs')
export class JobController {
  constructor(private readonly queues: QueueService) {}

  @Get(':queue/:id')
  @ApiOperation({ summary: 'Get the state, progress and result of a job' })
  @ApiOkResponse({ standardSchema: jobViewSchema })
  @ApiNotFoundResponse({ description: 'The tenant has no such job, or it has been removed' })
  async get(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Param('queue', { schema: queueNameParam }) queue: string,
    @Param('id', { schema: jobIdParam }) id: string,
  ): Promise<JobView> {
    return jobView(await this.queues.get(tenantId, queue, id));
  }
}
