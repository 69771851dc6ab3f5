import { Injectable } from '@nestjs/common';

/** Numbers of documents by kind, for example `{ messages: 12 }`. */
export type Counts = Record<string, number>;

/** A document as it is exported. Dates are ISO 8601, ids are strings. */
export interface ExportedDocument {
  /** In the singular, for example `message`. */
  kind: string;
  document: object;
}

/** What cannot be removed at once. */
export interface Later {
  /** What remains, and why. */
  what: string;
  /** When it is gone at the latest; null if no date is known, then `what` says what it depends on. */
  until: Date | null;
}

/** What one module holds of participants. */
export interface ParticipantData {
  /** Names the contribution in logs. */
  readonly name: string;
  /**
   * Deletes everything of the participant and returns what was deleted. Called repeatedly, also when there is
   * nothing left, and again after an interruption.
   */
  erase(tenantId: string, participantId: string, signal: AbortSignal): Promise<Counts>;
  /** Counts what is there, under the names that `erase` returns. Must read the database or files, not a cache. */
  count(tenantId: string, participantId: string): Promise<Counts>;
  /** Everything that is held of the participant, in bounded memory: consumers may be slow, or stop early. */
  export(tenantId: string, participantId: string): AsyncIterable<ExportedDocument>;
  /**
   * Ids of participants of the tenant after `after`, in ascending order, up to `limit`. Needed only if this module
   * may hold something of a participant of whom no other module holds anything.
   */
  participantIds?(tenantId: string, after: string, limit: number): Promise<string[]>;
  /** What remains of any erased participant for a while. */
  later?(tenantId: string): Later[];
}

/** Something that remains of any erased participant for a while, for example backups. */
export interface LaterSource {
  later(tenantId: string): Later[];
}

/** Everything that is erased and exported of a participant. Modules contribute what they hold. */
@Injectable()
export class ParticipantDataRegistry {
  private readonly contributions: ParticipantData[] = [];
  private readonly laterSources: LaterSource[] = [];

  /** Call in the constructor or in `onModuleInit` of a provider. */
  contribute(data: ParticipantData): void {
    this.contributions.push(data);
  }

  /** For what is neither erased nor exported. Call in the constructor or in `onModuleInit` of a provider. */
  contributeLater(source: LaterSource): void {
    this.laterSources.push(source);
  }

  /** In the order in which they were contributed, which is that of erasures and exports. */
  all(): readonly ParticipantData[] {
    return this.contributions;
  }

  async count(tenantId: string, participantId: string): Promise<Counts> {
    const total: Counts = {};
    for (const data of this.contributions) add(total, await data.count(tenantId, participantId));
    return total;
  }

  later(tenantId: string): Later[] {
    return [...this.contributions, ...this.laterSources].flatMap((source) => source.later?.(tenantId) ?? []);
  }
}

/** Adds counts to a total. */
export function add(total: Counts, counts: Counts): void {
  for (const [name, count] of Object.entries(counts)) total[name] = (total[name] ?? 0) + count;
}
