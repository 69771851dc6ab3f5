import { Injectable } from '@nestjs/common';
import { type RedisKeys, RedisService } from '../redis/index.js';

/** A note outlives no transcript by more than this; what waits longer is known to its own process alone. */
const TTL_SECONDS = 24 * 3600;

/** Commands that are sent together. */
const GROUP = 500;

interface Change {
  key: string;
  isQueued: boolean;
}

/**
 * Tells the other processes which transcripts wait in this one, by notes in Redis. Nobody waits for a note, and any of them may be missing
 * or stale: what counts is the row, and the tombstone of what was deleted.
 */
@Injectable()
export class TranscriptNotes {
  private readonly keys: RedisKeys;
  private changes: Change[] = [];
  private sending: NodeJS.Immediate | undefined;

  constructor(private readonly redis: RedisService) {
    this.keys = redis.keys('transcript-queued');
  }

  /** False: there is nobody to tell, or to hear of. */
  get enabled(): boolean {
    return this.redis.enabled;
  }

  /** The transcript waits here. */
  queued(tenantId: string, id: string): void {
    this.change(tenantId, id, true);
  }

  /** It is stored or deleted. */
  gone(tenantId: string, id: string): void {
    this.change(tenantId, id, false);
  }

  /** Whether some process has said that it waits there; false when Redis cannot tell. */
  async isQueued(tenantId: string, id: string): Promise<boolean> {
    if (!this.redis.available) return false;
    try {
      return (await this.redis.call((client) => client.exists(this.keys.of(tenantId, id)))) === 1;
    } catch {
      return false;
    }
  }

  private change(tenantId: string, id: string, isQueued: boolean): void {
    if (!this.redis.available) return;
    this.changes.push({ key: this.keys.of(tenantId, id), isQueued });
    this.sending ??= setImmediate(() => {
      this.send();
    });
  }

  /** In the order of the changes, on the one connection: what is gone is noted after it was queued. */
  private send(): void {
    this.sending = undefined;
    const { changes } = this;
    this.changes = [];
    for (let from = 0; from < changes.length; from += GROUP) {
      const group = changes.slice(from, from + GROUP);
      this.redis
        .call((client) => {
          const commands = client.pipeline();
          for (const { key, isQueued } of group) {
            if (isQueued) commands.set(key, '1', 'EX', TTL_SECONDS);
            else commands.unlink(key);
          }
          return commands.exec();
        })
        .catch(() => undefined);
    }
  }
}
