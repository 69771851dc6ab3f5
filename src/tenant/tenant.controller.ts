import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBearerAuth,
  ApiConflictResponse,
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import { Transactional } from '../database/index.js';
import { AdminOnly, type Page } from '../http/index.js';
import {
  apiKeyPageSchema,
  type ApiKeyView,
  createdKeySchema,
  createdTenantSchema,
  createTenantBody,
  type CreateTenantBody,
  keyIdParam,
  pageQuery,
  type PageQuery,
  tenantIdParam,
  tenantPageSchema,
  tenantView,
  type TenantView,
  tenantViewSchema,
  updateTenantBody,
  type UpdateTenantBody,
  type UsageView,
  usageViewSchema,
} from './tenant.dto.js';
import { TenantDeletion } from './tenant-deletion.js';
import { TenantService } from './tenant.service.js';

@ApiTags('tenants')
@ApiBearerAuth()
@AdminOnly()
@Controller('v1/tenants')
export class TenantController {
  constructor(
    private readonly tenants: TenantService,
    private readonly deletion: TenantDeletion,
  ) {}

  @Post()
  @Transactional()
  @ApiOperation({ summary: 'Create a tenant and its first key (admin)' })
  @ApiCreatedResponse({ standardSchema: createdTenantSchema })
  @ApiConflictResponse({ description: '`tenant_exists`, `tenant_being_deleted`' })
  create(
    @Body({ schema: createTenantBody }) body: CreateTenantBody,
  ): Promise<{ tenant: TenantView; apiKey: string }> {
    return this.tenants.create(body);
  }

  @Get()
  @ApiOperation({ summary: 'List tenants, newest first (admin)' })
  @ApiOkResponse({ standardSchema: tenantPageSchema })
  list(@Query({ schema: pageQuery }) { limit, cursor }: PageQuery): Promise<Page<TenantView>> {
    return this.tenants.list(limit, cursor);
  }

  @Get(':id')
  @ApiOperation({ summary: 'Read a tenant (admin)' })
  @ApiOkResponse({ standardSchema: tenantViewSchema })
  @ApiNotFoundResponse({ description: '`tenant_not_found`' })
  get(@Param('id', { schema: tenantIdParam }) id: string): Promise<TenantView> {
    return this.tenants.get(id);
  }

  @Get(':id/usage')
  @ApiOperation({
    summary: 'Measure what a tenant has stored, with the limits of its plan (admin)',
    description: 'Reads all documents of the tenant, which may take a while.',
  })
  @ApiOkResponse({ standardSchema: usageViewSchema })
  @ApiNotFoundResponse({ description: '`tenant_not_found`' })
  usage(@Param('id', { schema: tenantIdParam }) id: string): Promise<UsageView> {
    return this.tenants.usage(id);
  }

  @Patch(':id')
  @ApiOperation({
    summary: 'Change name, plan, isActive or features; takes effect in every process within a second (admin)',
  })
  @ApiOkResponse({ standardSchema: tenantViewSchema })
  @ApiNotFoundResponse({ description: '`tenant_not_found`' })
  update(
    @Param('id', { schema: tenantIdParam }) id: string,
    @Body({ schema: updateTenantBody }) body: UpdateTenantBody,
  ): Promise<TenantView> {
    return this.tenants.update(id, body);
  }

  @Delete(':id')
  @HttpCode(202)
  @ApiOperation({
    summary: 'Delete a tenant with everything that belongs to it (admin)',
    description:
      'Its keys stop working at once. The data is deleted in the background, also after a restart; ' +
      'GET /v1/tenants/:id shows the progress, and returns 404 once nothing is left. Only then can a tenant ' +
      'with the same id be created.',
  })
  @ApiAcceptedResponse({ standardSchema: tenantViewSchema })
  @ApiNotFoundResponse({ description: '`tenant_not_found`' })
  async delete(@Param('id', { schema: tenantIdParam }) id: string): Promise<TenantView> {
    return tenantView(await this.deletion.begin(id));
  }

  @Post(':id/keys')
  @ApiOperation({ summary: 'Create another key (admin)' })
  @ApiCreatedResponse({ standardSchema: createdKeySchema })
  @ApiNotFoundResponse({ description: '`tenant_not_found`' })
  createKey(
    @Param('id', { schema: tenantIdParam }) id: string,
  ): Promise<{ key: ApiKeyView; apiKey: string }> {
    return this.tenants.createKey(id);
  }

  @Get(':id/keys')
  @ApiOperation({ summary: "List a tenant's keys, newest first, without their secrets (admin)" })
  @ApiOkResponse({ standardSchema: apiKeyPageSchema })
  @ApiNotFoundResponse({ description: '`tenant_not_found`' })
  listKeys(
    @Param('id', { schema: tenantIdParam }) id: string,
    @Query({ schema: pageQuery }) { limit, cursor }: PageQuery,
  ): Promise<Page<ApiKeyView>> {
    return this.tenants.listKeys(id, limit, cursor);
  }

  @Delete(':id/keys/:keyId')
  @HttpCode(204)
  @ApiOperation({ summary: 'Revoke a key; takes effect in every process within a second (admin)' })
  @ApiNoContentResponse()
  @ApiNotFoundResponse({ description: '`api_key_not_found`' })
  revokeKey(
    @Param('id', { schema: tenantIdParam }) id: string,
    @Param('keyId', { schema: keyIdParam }) keyId: string,
  ): Promise<void> {
    return this.tenants.revokeKey(id, keyId);
  }
}
