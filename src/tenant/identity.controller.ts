import { Controller, Get } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentTenant } from './tenant.decorators.js';
import { type IdentityView, identityViewSchema } from './tenant.dto.js';
import type { TenantIdentity } from './tenant.types.js';

@ApiTags('tenants')
@ApiBearerAuth()
@Controller('v1/tenant')
export class IdentityController {
  @Get()
  @ApiOperation({ summary: 'Read the tenant that the key belongs to' })
  @ApiOkResponse({ standardSchema: identityViewSchema })
  get(@CurrentTenant() { tenantId, name, plan }: TenantIdentity): IdentityView {
    return { id: tenantId, name, plan };
  }
}
