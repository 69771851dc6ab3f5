import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { MongoClient } from 'mongodb';
import { mongo } from 'mongoose';
import { ApiClient, asTenantKey, RequestFailure } from '../../../src/cli/index.js';
import { eventually } from '../../support/eventually.js';
import { seededRandom } from '../../support/random.js';
import { ServiceProcess } from '../../support/service-process.js';

export interface ErasureRun {
  rounds: number;
  seed: number;
  /** The built entry file of the service, its working directory and its DATA_DIR. */
  main: string;
  cwd: string;
  dataDir: string;
  onRound?: (round: ErasureRound) => void;
}

export interface ErasureRound {
  round: number;
  /** Milliseconds from the request of the erasure until the service was killed. */
  killedAfterMs: number;
  /**
   * How far the erasure was when the service was killed: not stored yet, interrupted, or acknowledged. One that was
   * done but whose receipt did not arrive counts as interrupted.
   */
  reached: 'nothing' | 'interrupted' | 'receipt';
  /** Milliseconds from the start of the new process until no erasure was pending. */
  finishedMs: number;
  problems: string[];
}

const TENANT = 'erasure';
const CONVERSATIONS = 4;
const MESSAGES = 80;
const TRANSCRIPTS = 6;

/** The latest kill, as a share of the time that an erasure takes, so that some kills come after its receipt. */
const LATEST_KILL = 1.4;

const json = (body: unknown): Record<string, unknown> => body as Record<string, unknown>;
const idOf = (body: unknown): string => String(json(body)['id']);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/**
 * Kills the service at random moments of erasures. After each kill it restarts the service, waits for the sweep, and
 * searches every document of the store and every archive for the participant.
 */
class ErasureRounds {
  private service: ServiceProcess | undefined;
  private store: MongoClient | undefined;
  private key = '';
  /** What is stored of the other participants, as exported before the first kill that could change it. */
  private readonly kept = new Map<string, string>();

  constructor(private readonly options: ErasureRun) {}

  async run(): Promise<ErasureRound[]> {
    const random = seededRandom(this.options.seed);
    const results: ErasureRound[] = [];
    try {
      const { url, adminKey } = await this.start();
      const tenant = { id: TENANT, name: 'Erasure test' };
      this.key = await new ApiClient(url, adminKey).call('POST', '/v1/tenants', asTenantKey, tenant);
      const latestMs = LATEST_KILL * (await this.timeOfErasure());
      for (let round = 1; round <= this.options.rounds; round++) {
        const result = await this.round(round, Math.floor(random() * latestMs));
        results.push(result);
        this.options.onRound?.(result);
      }
    } finally {
      await this.store?.close();
      await this.service?.kill('SIGKILL');
    }
    return results;
  }

  /** Erases a participant without a kill, and returns the milliseconds that took. */
  private async timeOfErasure(): Promise<number> {
    await this.fill('person-0');
    await this.archive();
    const begun = performance.now();
    await this.call('DELETE', '/v1/participants/person-0');
    return performance.now() - begun;
  }

  private async start(): Promise<ServiceProcess> {
    const { main, cwd, dataDir } = this.options;
    const port = await freePort();
    const env = {
      NODE_ENV: 'development',
      PORT: '0',
      LOG_LEVEL: 'warn',
      DATA_DIR: dataDir,
      EMBEDDED_MONGO_PORT: String(port),
      TRANSCRIPT_BATCH_TIMEOUT_MS: '50',
    };
    await this.store?.close();
    this.service = await ServiceProcess.start({ main, cwd, env });
    this.store = await MongoClient.connect(`mongodb://127.0.0.1:${port}/?directConnection=true`);
    // Nobody has to wait until the claim of the killed process expires.
    await this.collection('schedules').updateMany({}, { $unset: { holder: 1, heldUntil: 1 } });
    return this.service;
  }

  private call(method: string, path: string, body?: unknown): Promise<unknown> {
    return new ApiClient(this.service?.url ?? '', this.key).call(method, path, (answer) => answer, body);
  }

  private collection(name: string) {
    if (!this.store) throw new Error('no service runs');
    return this.store.db('colloquy').collection(name);
  }

  private async round(round: number, killedAfterMs: number): Promise<ErasureRound> {
    const person = `person-${round}-to-erase`;
    const path = `/v1/participants/${person}`;
    await Promise.all([this.fill(person), this.fill(`neighbor-${round}`)]);
    await this.archive();
    await this.call('POST', '/v1/messages', {
      participantId: person,
      channel: 'c0',
      content: `${person} again`,
    });
    this.kept.set(`neighbor-${round}`, await this.exported(`neighbor-${round}`));
    const before = await this.exported(person);

    const receipt = this.call('DELETE', path).then(json, (error: unknown) => {
      if (error instanceof RequestFailure && error.status === 0) return undefined;
      throw error;
    });
    const kill = async (): Promise<void> => {
      await delay(killedAfterMs);
      await this.service?.kill('SIGKILL');
    };
    // Together, so that a failure of the request is handled whenever it comes.
    const [received] = await Promise.all([receipt, kill()]);
    const problems: string[] = [];

    const begun = performance.now();
    await this.start();
    const pending = { tenantId: TENANT, state: 'pending' };
    await eventually(
      async () => (await this.collection('participant_erasures').countDocuments(pending)) === 0,
    );
    const finishedMs = performance.now() - begun;
    const rows = await this.collection('participant_erasures').countDocuments({ tenantId: TENANT });
    // One more than the rounds: that of `timeOfErasure`.
    const isBegun = rows === round + 1;
    if (!isBegun && rows !== round) problems.push(`${rows} erasures are stored in round ${round}`);
    if (received && !isBegun) problems.push('an acknowledged erasure is not stored');
    if (received) problems.push(...problemsOfReceipt(received));
    if (!isBegun && (await this.exported(person)) !== before)
      problems.push('an erasure that is not stored has changed something');
    if (isBegun) problems.push(...(await this.found(person)));
    // An erasure that was not acknowledged is requested again.
    const again = received ?? json(await this.call('DELETE', path));
    problems.push(...problemsOfReceipt(again), ...(await this.found(person)));
    problems.push(...(await this.replayed(person)));
    for (const [neighbor, text] of this.kept)
      if ((await this.exported(neighbor)) !== text) problems.push(`the data of ${neighbor} has changed`);
    return {
      round,
      killedAfterMs,
      reached: received ? 'receipt' : isBegun ? 'interrupted' : 'nothing',
      finishedMs,
      problems,
    };
  }

  /** A participant with conversations, messages with externalIds, a session and transcripts. */
  private async fill(participantId: string): Promise<void> {
    for (let index = 0; index < CONVERSATIONS; index++) {
      const made = { participantId, channel: `c${index}`, title: `of ${participantId}` };
      const id = idOf(await this.call('POST', '/v1/conversations', made));
      const messages = Array.from({ length: MESSAGES }, (_, number) => ({
        role: 'user',
        content: `${participantId} says ${number}`,
        externalId: `${participantId}-${index}-${number}`,
      }));
      await this.call('POST', `/v1/conversations/${id}/messages`, { messages });
    }
    await this.call('PATCH', `/v1/sessions/${participantId}`, { context: { name: participantId } });
    for (let index = 0; index < TRANSCRIPTS; index++) {
      const sent = { participantId, channel: 'web', transcript: `${participantId} called, ${index}` };
      await this.call('POST', '/v1/transcripts', sent);
    }
    const queued = { tenantId: TENANT, participantId, status: 'queued' };
    await eventually(async () => (await this.collection('transcripts').countDocuments(queued)) === 0);
  }

  /** Moves all conversations to archives. */
  private async archive(): Promise<void> {
    const admin = new ApiClient(this.service?.url ?? '', this.service?.adminKey);
    const wanted = { tenantId: TENANT, kind: 'conversations', olderThanDays: 0 };
    const { jobId } = await admin.call('POST', '/v1/archives/run', json, wanted);
    const path = `/v1/queues/archive-run/jobs/${String(jobId)}`;
    await eventually(async () => (await admin.call('GET', path, json))['state'] === 'completed');
    if ((await this.collection('conversations').countDocuments({ tenantId: TENANT })) > 0)
      throw new Error('not all conversations were archived');
  }

  /** Everything that is stored of a participant, without the time of the export. */
  private async exported(participantId: string): Promise<string> {
    const text = String(await this.call('GET', `/v1/participants/${participantId}/export`));
    if (!text.includes('{"kind":"end"')) throw new Error(`the export of ${participantId} is not complete`);
    return text.slice(text.indexOf('\n'));
  }

  /** Searches all documents of the store and all archives. */
  private async found(text: string): Promise<string[]> {
    const problems: string[] = [];
    for (const { name } of (await this.store?.db('colloquy').listCollections().toArray()) ?? [])
      for await (const document of this.collection(name).find())
        if (mongo.BSON.EJSON.stringify(document).includes(text)) problems.push(`${text} is left in ${name}`);
    const archives = join(this.options.dataDir, 'archives');
    for (const name of await readdir(archives, { recursive: true }))
      if (name.endsWith('.gz') && gunzipSync(await readFile(join(archives, name))).includes(text))
        problems.push(`${text} is left in ${name}`);
    return problems;
  }

  private async replayed(participantId: string): Promise<string[]> {
    const again = {
      participantId,
      channel: 'c1',
      content: `${participantId} says 3`,
      externalId: `${participantId}-1-3`,
    };
    const { status } = await new ApiClient(this.service?.url ?? '', this.key).request(
      'POST',
      '/v1/messages',
      again,
    );
    return status === 410 ? [] : [`a message that was sent again got ${status}`];
  }
}

function problemsOfReceipt({ remaining }: Record<string, unknown>): string[] {
  const left = Object.entries(remaining as Record<string, number>).filter(([, count]) => count !== 0);
  return left.map(([name, count]) => `the receipt says that ${count} ${name} remain`);
}

/** Runs the rounds; each result lists its problems. */
export const runErasureRounds = (options: ErasureRun): Promise<ErasureRound[]> =>
  new ErasureRounds(options).run();
