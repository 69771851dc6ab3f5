import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { adminKeyFile } from '../../config/index.js';
import { ApiClient } from '../api-client.js';
import { asTenantKey } from '../api-shapes.js';

export interface KeySources {
  url: string;
  /** A tenant's key; when set, it is used as it is. */
  key?: string;
  adminKey?: string;
  /** The data directory in which a development service stores its admin key. */
  dataDir: string;
}

export interface TenantKey {
  key: string;
  /** The tenant that was created for this run. */
  createdTenant?: string;
}

/** No key is available. The message names the options that provide one. */
export class NoKeyError extends Error {}

/** Reads the admin key that a development service stores in its DATA_DIR; undefined when there is none. */
export function developmentKey(dataDir: string): string | undefined {
  try {
    return readFileSync(adminKeyFile(dataDir), 'utf8').trim();
  } catch {
    return undefined;
  }
}

/**
 * Returns the given key, or creates a tenant with the admin key and returns that tenant's key.
 * @throws NoKeyError, RequestFailure
 */
export async function tenantKey({ url, key, adminKey, dataDir }: KeySources): Promise<TenantKey> {
  if (key !== undefined) return { key };
  const admin = adminKey ?? developmentKey(dataDir);
  if (admin === undefined)
    throw new NoKeyError(
      `No key is available: pass --key with a tenant's key, or --admin-key (there is no development admin key in ${dataDir}).`,
    );
  const id = `replay-${randomBytes(4).toString('hex')}`;
  const made = await new ApiClient(url, admin).call('POST', '/v1/tenants', asTenantKey, { id, name: id });
  return { key: made, createdTenant: id };
}
