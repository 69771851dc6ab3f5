import { Controller, Get, Header, Req } from '@nestjs/common';
import { HealthCheck } from '@nestjs/terminus';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { isOperatorRequest, Public } from '../../http/index.js';
import { HealthProbes, type ProbeResponse } from './health-probes.js';
import type { ProbeName } from './health.service.js';

const NO_STORE = 'no-store';

@ApiTags('health')
@Public()
@Controller('health')
export class HealthController {
  constructor(private readonly probes: HealthProbes) {}

  @Get('live')
  @Header('cache-control', NO_STORE)
  @ApiOperation({
    summary: 'Liveness: the process responds and its event loop is not blocked; dependencies are not checked',
  })
  @HealthCheck()
  live(@Req() request: FastifyRequest): Promise<ProbeResponse> {
    return this.run('live', request);
  }

  @Get('ready')
  @Header('cache-control', NO_STORE)
  @ApiOperation({
    summary:
      'Readiness: 503 without the database or its unique indexes, with a full disk and during a shutdown; "degraded" for less severe problems',
  })
  @HealthCheck()
  ready(@Req() request: FastifyRequest): Promise<ProbeResponse> {
    return this.run('ready', request);
  }

  @Get('startup')
  @Header('cache-control', NO_STORE)
  @ApiOperation({ summary: 'Startup: 503 until the database responds and its indexes exist' })
  @HealthCheck()
  startup(@Req() request: FastifyRequest): Promise<ProbeResponse> {
    return this.run('startup', request);
  }

  /** Operators also receive reasons, times and figures. */
  private run(probe: ProbeName, request: FastifyRequest): Promise<ProbeResponse> {
    return this.probes.run(probe, isOperatorRequest(request));
  }
}
