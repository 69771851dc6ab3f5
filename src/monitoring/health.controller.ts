import { Controller, Get } from '@nestjs/common';
import {
  HealthCheck,
  HealthCheckService,
  HealthIndicatorService,
  type HealthCheckResult,
} from '@nestjs/terminus';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Public } from '../common/index.js';
import { HealthService } from './health.service.js';

@ApiTags('health')
@Public()
@Controller('health')
export class HealthController {
  constructor(
    private readonly terminus: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly health: HealthService,
  ) {}

  @Get('live')
  @ApiOperation({ summary: 'Liveness: the process answers; no dependency is asked' })
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    this.health.live();
    return this.terminus.check([() => this.indicators.check('process').up()]);
  }

  @Get('ready')
  @ApiOperation({ summary: 'Readiness: the database answers and no shutdown has begun; 503 otherwise' })
  @HealthCheck()
  async ready(): Promise<HealthCheckResult> {
    const { checks } = await this.health.ready();
    return this.terminus.check(
      Object.entries(checks).map(([name, { status, reason }]) => () => {
        const indicator = this.indicators.check(name);
        return status === 'up' ? indicator.up() : indicator.down(reason ?? 'down');
      }),
    );
  }
}
