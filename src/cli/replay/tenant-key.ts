import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { adminKeyFile } from '../../config/index.js';
import { ApiClient } from '../api-client.js';
import { asTenantKey } from '../api-shapes.js';

export interface KeySources {
  url: string;
  /** A tenant's key, to be used as it is. */
  key?: string;
  adminKey?: string;
  /** Where a service in development keeps its admin key. */
  dataDir: string;
}

export interface TenantKey {
  key: string;
  /** The tenant that was made for this run. */
  createdTenant?: string;
}

/** There is no key to work with; the message says which options give one. */
export class NoKeyError extends Error {}

/** The admin key that a service in development keeps in its DATA_DIR; undefined when there is none. */
export function developmentKey(dataDir: string): string | undefined {
  try {
    return readFileSync(adminKeyFile(dataDir), 'utf8').trim();
  } catch {
    return undefined;
  }
}

/**
 * The given key, or that of a tenant made now with the admin key.
 * @throws NoKeyError, RequestFailure
 */
export async function tenantKey({ url, key, adminKey, dataDir }: KeySources): Promise<TenantKey> {
  if (key !== undefined) return { key };
  const admin = adminKey ?? developmentKey(dataDir);
  if (admin === undefined)
    throw new NoKeyError(
      `There is no key: pass --key with a tenant's key, or --admin-key (no development admin key in ${dataDir}).`,
    );
  const id = `replay-${randomBytes(4).toString('hex')}`;
  const made = await new ApiClient(url, admin).call('POST', '/v1/tenants', asTenantKey, { id, name: id });
  return { key: made, createdTenant: id };
}
