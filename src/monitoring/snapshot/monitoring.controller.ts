import { Controller, Get, Header } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { AdminOnly } from '../../http/index.js';
import { MetricsService } from './metrics.service.js';
import type { MonitoringSnapshot } from './monitoring-snapshot.js';

/** For programs. Operators can use `npm run dashboard`. */
@ApiTags('operations')
@ApiBearerAuth()
@AdminOnly()
@Controller('v1/monitoring')
export class MonitoringController {
  constructor(private readonly metrics: MetricsService) {}

  @Get()
  @Header('cache-control', 'no-store')
  @ApiOperation({
    summary: 'The state of this process: traffic, database, queues, memory, health, alerts (admin)',
  })
  @ApiOkResponse({
    description: 'A snapshot that is at most one second old; docs/monitoring.md describes its fields',
    schema: { type: 'object', additionalProperties: true },
  })
  read(): Promise<MonitoringSnapshot> {
    return this.metrics.collect();
  }
}
