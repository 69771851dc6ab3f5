import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** Methods of ioredis that its types lack: the reply is not decoded. */
interface BufferReplies {
  evalshaBuffer(sha: string, keyCount: number, ...rest: ScriptArgument[]): Promise<unknown>;
  evalBuffer(lua: string, keyCount: number, ...rest: ScriptArgument[]): Promise<unknown>;
}

export type ScriptArgument = string | number | Buffer;

/**
 * A Lua script, which the server runs atomically. Sent when Redis becomes available, then called by its hash.
 */
export class RedisScript {
  private static readonly all = new Set<RedisScript>();

  private readonly sha: string;

  constructor(private readonly lua: string) {
    this.sha = createHash('sha1').update(lua).digest('hex');
    RedisScript.all.add(this);
  }

  /** Sends every script, so that no caller waits for two round trips. */
  static async loadAll(client: Redis): Promise<void> {
    await Promise.all([...RedisScript.all].map(({ lua }) => client.script('LOAD', lua)));
  }

  /** The reply undecoded, with Buffers for strings. */
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
