import { Body, Controller, Delete, Get, HttpCode, Put } from '@nestjs/common';
import { ApiBearerAuth, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentTenant, type TenantIdentity } from '../tenant/index.js';
import { ResponderSettingsService } from './responder-settings.service.js';
import {
  putResponderBody,
  type PutResponderBody,
  responderView,
  type ResponderView,
  responderViewSchema,
} from './responder.dto.js';

@ApiTags('responder')
@ApiBearerAuth()
@Controller('v1/responder')
export class ResponderController {
  constructor(private readonly settings: ResponderSettingsService) {}

  @Get()
  @ApiOperation({ summary: "Get the responder that replies to the tenant's messages" })
  @ApiOkResponse({ standardSchema: responderViewSchema })
  async get(@CurrentTenant() { tenantId }: TenantIdentity): Promise<ResponderView> {
    return responderView(await this.settings.read(tenantId));
  }

  @Put()
  @ApiOperation({
    summary: 'Choose and configure the responder; takes effect in all processes within one second',
  })
  @ApiOkResponse({ standardSchema: responderViewSchema })
  async put(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Body({ schema: putResponderBody }) body: PutResponderBody,
  ): Promise<ResponderView> {
    return responderView(await this.settings.put(tenantId, body.type, body.config, body.debounceMs));
  }

  @Delete()
  @HttpCode(204)
  @ApiOperation({ summary: 'Reset to the default responder' })
  @ApiNoContentResponse()
  reset(@CurrentTenant() { tenantId }: TenantIdentity): Promise<void> {
    return this.settings.reset(tenantId);
  }
}
