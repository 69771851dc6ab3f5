import { Controller, Get, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Public } from '../../http/index.js';
import { Monitoring } from '../monitoring.js';

@ApiTags('operations')
@Public()
@Controller('metrics')
export class MetricsController {
  constructor(private readonly monitoring: Monitoring) {}

  @Get()
  @ApiOperation({ summary: 'Prometheus metrics of this process; they contain no tenant names' })
  @ApiProduces('text/plain')
  @ApiOkResponse({ description: 'Prometheus text format', schema: { type: 'string' } })
  async read(@Res() reply: FastifyReply): Promise<void> {
    const { contentType, body } = await this.monitoring.metricsText();
    await reply.header('content-type', contentType).header('cache-control', 'no-store').send(body);
  }
}
