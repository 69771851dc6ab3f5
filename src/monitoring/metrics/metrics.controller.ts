import { Controller, Get, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Public } from '../../http/index.js';
import { Metrics } from './metrics.js';

@ApiTags('operations')
@Public()
@Controller('metrics')
export class MetricsController {
  constructor(private readonly metrics: Metrics) {}

  @Get()
  @ApiOperation({ summary: 'Metrics of this process for Prometheus; nothing of a tenant is named' })
  @ApiProduces('text/plain')
  @ApiOkResponse({ description: "Prometheus' text format", schema: { type: 'string' } })
  async read(@Res() reply: FastifyReply): Promise<void> {
    const { contentType, body } = await this.metrics.text();
    await reply.header('content-type', contentType).header('cache-control', 'no-store').send(body);
  }
}
