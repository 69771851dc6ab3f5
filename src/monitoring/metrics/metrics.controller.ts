import { Controller, Get, Req, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Public } from '../../http/index.js';
import { Monitoring } from '../monitoring.js';
import { MetricsAccess } from './metrics-access.js';

@ApiTags('operations')
@Public()
@Controller('metrics')
export class MetricsController {
  constructor(
    private readonly monitoring: Monitoring,
    private readonly access: MetricsAccess,
  ) {}

  @Get()
  @ApiOperation({
    summary:
      'Prometheus metrics of this process; they contain no tenant names. In production they need METRICS_TOKEN or the admin key',
  })
  @ApiProduces('text/plain')
  @ApiOkResponse({ description: 'Prometheus text format', schema: { type: 'string' } })
  async read(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    this.access.check(request);
    const { contentType, body } = await this.monitoring.metricsText();
    await reply.header('content-type', contentType).header('cache-control', 'no-store').send(body);
  }
}
