import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BackupError, hasCode } from './backup-error.js';
import {
  DEAD_AFTER_MS,
  described,
  HEARTBEAT_MS,
  isAlive,
  letGo,
  newOwner,
  type Owner,
} from './claim-owner.js';

const OWNER = 'owner.json';
const ATTEMPTS = 5;

async function ownerOf(path: string): Promise<Owner | undefined> {
  try {
    return JSON.parse(await readFile(join(path, OWNER), 'utf8')) as Owner;
  } catch {
    return undefined;
  }
}

async function isAbandoned(path: string, owner: Owner | undefined): Promise<boolean> {
  const seen = await stat(join(path, OWNER)).catch(() => undefined);
  if (!seen) return true;
  const silentMs = Date.now() - seen.mtimeMs;
  return owner ? !isAlive(owner, silentMs) : Math.abs(silentMs) > DEAD_AFTER_MS;
}

/** Renames a directory before it deletes it, so that a part of it is never taken for the whole. */
export async function removeWhole(parent: string, name: string): Promise<void> {
  const removed = join(parent, `.removed-${randomBytes(6).toString('hex')}`);
  try {
    await rename(join(parent, name), removed);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  await rm(removed, { recursive: true, force: true });
}

/** Deletes what processes that were killed have left. */
async function removeLeftovers(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const path = join(parent, name);
    const isLeft =
      /^\.removed-[0-9a-f]{12}$/.test(name) ||
      (/^\.claim-[0-9a-f]{12}$/.test(name) && (await isAbandoned(path, await ownerOf(path))));
    if (isLeft) await rm(path, { recursive: true, force: true });
  }
}

/** A directory with a fixed name that one process uses at a time. It may be left by a killed process. */
export class ClaimedDirectory {
  private readonly heartbeat: NodeJS.Timeout;

  private constructor(
    private readonly parent: string,
    private readonly name: string,
    private readonly owner: Owner,
  ) {
    this.heartbeat = setInterval(() => {
      // If it is gone, the next step of the work reports that.
      void utimes(join(this.path, OWNER), new Date(), new Date()).catch(() => undefined);
    }, HEARTBEAT_MS);
    this.heartbeat.unref();
  }

  get path(): string {
    return join(this.parent, this.name);
  }

  /**
   * Creates the directory, after deleting what a killed process has left of it.
   * @param what what the other process does, for the message if it is still running
   * @throws BackupError if another process uses it
   */
  static async claim(parent: string, name: string, what: string): Promise<ClaimedDirectory> {
    await mkdir(parent, { recursive: true, mode: 0o700 });
    await removeLeftovers(parent);
    const path = join(parent, name);
    const own = newOwner();
    try {
      for (let attempt = 1; ; attempt++) {
        if (await ClaimedDirectory.take(parent, path, own)) return new ClaimedDirectory(parent, name, own);
        const owner = await ownerOf(path);
        if (!(await isAbandoned(path, owner)) || attempt === ATTEMPTS)
          throw new BackupError(
            `${what} in ${parent} is running: ${described(owner)}. Wait until it has ended.`,
          );
        await removeWhole(parent, name);
      }
    } catch (error) {
      letGo(own);
      throw error;
    }
  }

  /** Renames a directory that already names its owner, so that there is never one without an owner. */
  private static async take(parent: string, path: string, owner: Owner): Promise<boolean> {
    const draft = join(parent, `.claim-${randomBytes(6).toString('hex')}`);
    await mkdir(draft, { mode: 0o700 });
    await writeFile(join(draft, OWNER), JSON.stringify(owner), { mode: 0o600 });
    try {
      await rename(draft, path);
      return true;
    } catch (error) {
      await rm(draft, { recursive: true, force: true });
      if (hasCode(error, 'ENOTEMPTY', 'EEXIST')) return false;
      throw error;
    }
  }

  /** Deletes it with everything in it, unless another process has taken this one for dead and claimed it. */
  async remove(): Promise<void> {
    clearInterval(this.heartbeat);
    try {
      if ((await ownerOf(this.path))?.id === this.owner.id) await removeWhole(this.parent, this.name);
    } finally {
      // What could not be deleted must not stop the next claim of this process, which tries again.
      letGo(this.owner);
    }
  }
}
