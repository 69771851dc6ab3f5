import { Inject, Injectable } from '@nestjs/common';
import { duplicateKeyFields, positionBy, TransactionRunner } from '../database/index.js';
import { dateIdCursor, notFound, type Page, readPage } from '../http/index.js';
import { LOGGER, type Logger } from '../logging/index.js';
import { createApiKey, type NewApiKey } from './api-key.js';
import { ApiKeyRepository } from './api-key.repository.js';
import { KeyVerifier } from './key-verifier.js';
import { Quotas } from './quotas.js';
import { TenantDataRepository } from './tenant-data.repository.js';
import { TenantDirectory } from './tenant-directory.js';
import {
  apiKeyView,
  type ApiKeyView,
  type CreateTenantBody,
  tenantView,
  type TenantView,
  type UsageView,
} from './tenant.dto.js';
import { tenantBeingDeleted, tenantExists } from './tenant.errors.js';
import { type TenantChanges, tenantOf, TenantRepository, type TenantRow } from './tenant.repository.js';
import type { ApiKey } from './tenant.types.js';

const positionOf = positionBy('createdAt');

const storedKey = (
  tenantId: string,
  { keyId, hash, hint }: NewApiKey,
  createdAt: Date,
): ApiKey & { hash: string } => ({
  tenantId,
  keyId,
  hash,
  hint,
  createdAt,
  revokedAt: null,
  lastUsedAt: null,
});

/** Lets operators manage tenants and their keys. */
@Injectable()
export class TenantService {
  constructor(
    private readonly tenants: TenantRepository,
    private readonly keys: ApiKeyRepository,
    private readonly verifier: KeyVerifier,
    private readonly directory: TenantDirectory,
    private readonly transactions: TransactionRunner,
    private readonly quotas: Quotas,
    private readonly data: TenantDataRepository,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Measures what a tenant has stored. Reads all of its documents.
   * @throws ProblemError 404 `tenant_not_found`
   */
  async usage(tenantId: string): Promise<UsageView> {
    const { plan } = await this.get(tenantId);
    const { bytes = null, documents = null } = this.quotas.limitsOf(plan);
    return { ...(await this.data.usage(tenantId)), limits: { bytes, documents } };
  }

  /**
   * Creates a tenant and its first key. Called in a transaction, so that both are stored or neither.
   * @throws ProblemError 409 `tenant_exists`, `tenant_being_deleted`
   */
  async create({ id, name, plan }: CreateTenantBody): Promise<{ tenant: TenantView; apiKey: string }> {
    const now = new Date();
    const row: TenantRow = { tenantId: id, name, plan, isActive: true, createdAt: now, updatedAt: now };
    const key = createApiKey();
    try {
      await this.tenants.insert(row);
      await this.keys.insert(id, storedKey(id, key, now));
    } catch (error) {
      if (!duplicateKeyFields(error)?.includes('tenantId')) throw error;
      const present = await this.tenants.findForRequest(id);
      throw present?.deletion ? tenantBeingDeleted(id) : tenantExists(id);
    }
    await this.transactions.afterCommit(async () => {
      this.logger.info({ tenant: id, keyId: key.keyId }, 'tenant created');
      await this.verifier.forget();
    });
    return { tenant: tenantView(tenantOf(row)), apiKey: key.text };
  }

  async list(limit: number, cursor?: string): Promise<Page<TenantView>> {
    const from = dateIdCursor.decode(cursor);
    const read = (count: number, after = from): ReturnType<TenantRepository['list']> =>
      this.tenants.list(count, after);
    return readPage(dateIdCursor, { limit, from, positionOf, read }, (row) => tenantView(tenantOf(row)));
  }

  /** @throws ProblemError 404 `tenant_not_found` */
  async get(tenantId: string): Promise<TenantView> {
    const tenant = await this.tenants.find(tenantId);
    if (!tenant) throw notFound('tenant', tenantId);
    return tenantView(tenant);
  }

  /**
   * Changes a tenant. Every process sees the change within a second.
   * @throws ProblemError 404 `tenant_not_found`, 409 `tenant_being_deleted`
   */
  async update(tenantId: string, changes: TenantChanges): Promise<TenantView> {
    const tenant = await this.tenants.update(tenantId, changes, new Date());
    if (!tenant) {
      await this.get(tenantId);
      throw tenantBeingDeleted(tenantId);
    }
    await this.transactions.afterCommit(() => this.directory.forget(tenantId));
    this.logger.info({ tenant: tenantId, changed: Object.keys(changes) }, 'tenant updated');
    return tenantView(tenant);
  }

  /** @throws ProblemError 404 `tenant_not_found`, 409 `tenant_being_deleted` */
  async createKey(tenantId: string): Promise<{ key: ApiKeyView; apiKey: string }> {
    if ((await this.get(tenantId)).deletion) throw tenantBeingDeleted(tenantId);
    const key = createApiKey();
    const stored = storedKey(tenantId, key, new Date());
    await this.keys.insert(tenantId, stored);
    await this.transactions.afterCommit(() => this.verifier.forget());
    this.logger.info({ tenant: tenantId, keyId: key.keyId }, 'API key created');
    return { key: apiKeyView(stored), apiKey: key.text };
  }

  /** @throws ProblemError 404 `tenant_not_found` */
  async listKeys(tenantId: string, limit: number, cursor?: string): Promise<Page<ApiKeyView>> {
    await this.get(tenantId);
    const from = dateIdCursor.decode(cursor);
    const read = (count: number, after = from): ReturnType<ApiKeyRepository['list']> =>
      this.keys.list(tenantId, count, after);
    return readPage(dateIdCursor, { limit, from, positionOf, read }, apiKeyView);
  }

  /**
   * Revokes a key, immediately in this process and within a second in all others. Revoking a key again is not
   * an error.
   * @throws ProblemError 404 `api_key_not_found`
   */
  async revokeKey(tenantId: string, keyId: string): Promise<void> {
    if (!(await this.keys.revoke(tenantId, keyId, new Date()))) throw notFound('api key', keyId);
    await this.transactions.afterCommit(() => this.verifier.forget());
    this.logger.info({ tenant: tenantId, keyId }, 'API key revoked');
  }
}
