import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { KillMoment } from '../crash/rounds.js';
import type { LoadShape } from '../crash/load.js';

const MAX_COMMITS = 40;
/**
 * A load that never reaches this many commits is stopped, and the round reports the responses of its clients.
 */
const LONGEST_MS = 60_000;

/** 64 clients that store messages, and some that change sessions. */
export const manyClients: LoadShape = {
  conversations: 8,
  appendersEach: 4,
  participants: 16,
  handlersEach: 2,
  sessionWriters: 4,
};

/**
 * Kills the service after the database has confirmed a commit and before any caller of that transaction has
 * its result.
 * @param dist the folder of the built project
 */
export const afterCommit = (dist: string): KillMoment => ({
  nodeOptions: [
    '--import',
    pathToFileURL(join(dist, 'test', 'proofs', 'commit', 'kill-after-commit.js')).href,
  ],
  arrange: (service, random) => {
    const commits = 1 + Math.floor(random() * MAX_COMMITS);
    service.send({ killAfterCommits: commits });
    const stopped = new AbortController();
    const late = delay(LONGEST_MS, undefined, { signal: stopped.signal })
      .then(() => service.kill('SIGKILL'))
      .catch(() => undefined);
    const killed = Promise.race([service.exited, late]).finally(() => stopped.abort());
    return { after: `commit ${commits}`, killed };
  },
});
