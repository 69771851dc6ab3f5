import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ProcessRegistry } from '../../database/index.js';
import {
  type ErasedIdLookup,
  ErasedIds,
  type ErasedKind,
  IDENTITY_TTL_MS,
  TenantDirectory,
} from '../../tenant/index.js';
import { ErasedIdRepository } from './erased-id.repository.js';
import { ParticipantHashes } from './participant-hashes.js';

const DAY_MS = 86_400_000;

/** How long a document that is sent again is refused: longer than providers repeat webhooks. */
export const ERASED_IDS_KEPT_MS = 30 * DAY_MS;

/** Time for other processes to notice that a tenant now has erased ids, milliseconds. */
const NOTICE_MS = IDENTITY_TTL_MS * 1.2;

/** Keeps the ids of erased messages and transcripts, as keyed hashes, so that they are not stored again. */
@Injectable()
export class ErasedIdStore implements ErasedIdLookup, OnModuleInit {
  constructor(
    private readonly ids: ErasedIdRepository,
    private readonly hashes: ParticipantHashes,
    private readonly tenants: TenantDirectory,
    private readonly processes: ProcessRegistry,
    private readonly refusal: ErasedIds,
  ) {}

  onModuleInit(): void {
    this.refusal.use(this);
  }

  /**
   * Must be called before the documents are deleted. Returns once every process refuses the ids.
   * @param ids externalIds of transcripts, or the keys of those of messages
   */
  async remember(tenantId: string, kind: ErasedKind, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const expiresAt = new Date(Date.now() + ERASED_IDS_KEPT_MS);
    await this.ids.put(tenantId, await this.hashesOf(tenantId, kind, ids), expiresAt);
    const until = (await this.tenants.find(tenantId))?.erasedIdsUntil;
    if (until && until >= expiresAt) return;
    // A day more, so that the tenant is written at most once a day.
    await this.tenants.keepErasedIds(tenantId, new Date(expiresAt.getTime() + DAY_MS));
    const wasKnown = until !== undefined && until.getTime() > Date.now() + NOTICE_MS;
    if (!wasKnown && (await this.processes.otherServersAlive()))
      await new Promise((resolve) => setTimeout(resolve, NOTICE_MS));
  }

  async hasAny(tenantId: string, kind: ErasedKind, ids: readonly string[]): Promise<boolean> {
    return this.ids.hasAny(tenantId, await this.hashesOf(tenantId, kind, ids), new Date());
  }

  private hashesOf(tenantId: string, kind: ErasedKind, ids: readonly string[]): Promise<string[]> {
    return Promise.all(ids.map((id) => this.hashes.ofErasedId(tenantId, kind, id)));
  }
}
