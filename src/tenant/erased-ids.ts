import { Injectable } from '@nestjs/common';
import { dataErased } from './tenant.errors.js';
import { TenantDirectory } from './tenant-directory.js';

/** What an externalId identifies. */
export type ErasedKind = 'message' | 'transcript';

/** Finds out which ids belonged to participants whose data was erased. */
export interface ErasedIdLookup {
  /** Whether one of the ids belonged to a document that was erased with its participant. */
  hasAny(tenantId: string, kind: ErasedKind, ids: readonly string[]): Promise<boolean>;
}

/**
 * Refuses documents that are sent again after the data of their participant was erased, for example by a
 * provider that repeats a webhook. The module that erases participants is above those that store documents, so
 * it sets the lookup here.
 */
@Injectable()
export class ErasedIds {
  private lookup: ErasedIdLookup | undefined;

  constructor(private readonly tenants: TenantDirectory) {}

  use(lookup: ErasedIdLookup): void {
    this.lookup = lookup;
  }

  /**
   * For a tenant without erased ids this reads only the cached tenant, which is at most a second old.
   * @param ids externalIds of transcripts, or the keys of those of messages
   * @throws ProblemError 410 `erased`
   */
  async refuse(tenantId: string, kind: ErasedKind, ids: readonly string[]): Promise<void> {
    if (!this.lookup || ids.length === 0) return;
    const until = (await this.tenants.find(tenantId))?.erasedIdsUntil;
    if (until === undefined || until.getTime() <= Date.now()) return;
    if (await this.lookup.hasAny(tenantId, kind, ids)) throw dataErased();
  }
}
