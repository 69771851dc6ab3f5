import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** Methods of ioredis that are missing from its types; they return the reply as Buffers. */
interface BufferReplies {
  evalshaBuffer(sha: string, keyCount: number, ...rest: ScriptArgument[]): Promise<unknown>;
  evalBuffer(lua: string, keyCount: number, ...rest: ScriptArgument[]): Promise<unknown>;
}

export type ScriptArgument = string | number | Buffer;

/**
 * A Lua script, which the server runs atomically. Its text is sent when Redis becomes available; calls send
 * only its hash.
 */
export class RedisScript {
  private static readonly all = new Set<RedisScript>();

  private readonly sha: string;

  constructor(private readonly lua: string) {
    this.sha = createHash('sha1').update(lua).digest('hex');
    RedisScript.all.add(this);
  }

  /** Sends all scripts to the server, so that no call needs a second round trip. */
  static async loadAll(client: Redis): Promise<void> {
    await Promise.all([...RedisScript.all].map(({ lua }) => client.script('LOAD', lua)));
  }

  /** Returns the reply with Buffers instead of strings. */
  async run(client: Redis, keys: readonly string[], args: readonly ScriptArgument[]): Promise<unknown> {
    const rest = [...keys, ...args];
    const raw = client as Redis & BufferReplies;
    try {
      return await raw.evalshaBuffer(this.sha, keys.length, ...rest);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return raw.evalBuffer(this.lua, keys.length, ...rest);
    }
  }
}
