import { Injectable } from '@nestjs/common';
import { add, type Counts, ParticipantDataRegistry } from './participant-data.js';
import { exportsBusy, tooManyExports } from './participant-data.errors.js';

/** Exports of one tenant, and of all tenants, that a process sends at the same time. */
export const MAX_EXPORTS_OF_TENANT = 2;
const MAX_EXPORTS = 8;

/** Lines are joined until they have this length, UTF-16 units. */
const CHUNK = 32 * 1024;

/** Exports everything that is held of a participant, as lines of JSON. */
@Injectable()
export class ParticipantExporter {
  private readonly running = new Map<string, number>();
  private total = 0;

  constructor(private readonly registry: ParticipantDataRegistry) {}

  /**
   * Must be called before an export. The returned function ends it.
   * @throws ProblemError 429 `too_many_exports`, 503 `exports_busy`
   */
  begin(tenantId: string): () => void {
    const ofTenant = this.running.get(tenantId) ?? 0;
    if (ofTenant >= MAX_EXPORTS_OF_TENANT) throw tooManyExports(MAX_EXPORTS_OF_TENANT);
    if (this.total >= MAX_EXPORTS) throw exportsBusy();
    this.running.set(tenantId, ofTenant + 1);
    this.total++;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.total--;
      const left = (this.running.get(tenantId) ?? 1) - 1;
      if (left > 0) this.running.set(tenantId, left);
      else this.running.delete(tenantId);
    };
  }

  /**
   * The first line has the kind `export`, the last one `end` with the number of lines of each kind in between. An
   * export without that line is not complete. Reads no more than is consumed.
   */
  async *lines(tenantId: string, participantId: string): AsyncGenerator<string> {
    const counts: Counts = {};
    const exportedAt = new Date().toISOString();
    let chunk = lineOf('export', { participantId, exportedAt });
    for (const data of this.registry.all())
      for await (const { kind, document } of data.export(tenantId, participantId)) {
        add(counts, { [kind]: 1 });
        chunk += lineOf(kind, document);
        if (chunk.length < CHUNK) continue;
        yield chunk;
        chunk = '';
      }
    yield chunk + lineOf('end', { counts });
  }
}

const lineOf = (kind: string, document: object): string => `${JSON.stringify({ kind, document })}\n`;
