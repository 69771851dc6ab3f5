import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ApiClient, asCreated, asMessagePage, asTenantKey } from '../../../src/cli/index.js';
import { asConversationPage } from '../crash/shapes.js';
import { ProbeWatch } from '../outage/probe-watch.js';
import { seededRandom } from '../../support/random.js';
import { ServiceProcess } from '../../support/service-process.js';
import { readAll } from '../transcripts/check.js';
import { brokenByShutdown, brokenPromises, type ShutdownFigures } from './check.js';
import { isAcked, type SentRequest, ShutdownLoad } from './load.js';

export interface ShutdownOptions {
  rounds: number;
  clients: number;
  seed: number;
  /** The settings SHUTDOWN_GRACE_MS and SHUTDOWN_DRAIN_MS of the service. */
  graceMs: number;
  drainMs: number;
  /** The folder of the built service, `dist/src`. */
  src: string;
  onRound?: (round: ShutdownRound) => void;
}

export interface ShutdownRound extends ShutdownFigures {
  number: number;
  acked: number;
  /** Requests without a response that had no effect. */
  crossed: number;
  broken: string[];
}

export interface ShutdownResult {
  rounds: ShutdownRound[];
  /** Problems found by the final check of everything acknowledged in all rounds. */
  broken: string[];
  log: string;
}

const EARLIEST_MS = 300;
const LATEST_MS = 2000;
const PROBE_EVERY_MS = 10;
const LEAST_WAIT_MS = 2000;
const PAGE = 200;
const READERS = 8;
/** How long to wait after the restart for queued transcripts to be stored, ms. */
const STORED_WITHIN_MS = 60_000;

async function forEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const reader = async (): Promise<void> => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: READERS }, reader));
}

class ShutdownRun {
  private service: ServiceProcess | undefined;
  private bearer = '';
  private readonly all: SentRequest[] = [];
  private log = '';
  private readonly env: Readonly<Record<string, string>>;

  constructor(
    private readonly options: ShutdownOptions,
    private readonly cwd: string,
  ) {
    this.env = {
      NODE_ENV: 'production',
      PORT: '0',
      LOG_LEVEL: 'warn',
      // Many operations are slow under this load; their warnings would hide other messages in the log.
      SLOW_REQUEST_MS: '600000',
      SLOW_QUERY_MS: '600000',
      DATA_DIR: join(cwd, 'data'),
      SHUTDOWN_GRACE_MS: String(options.graceMs),
      SHUTDOWN_DRAIN_MS: String(options.drainMs),
      TRANSCRIPT_MAX_QUEUE_SIZE: '1000000',
      ADMIN_API_KEY: `admin_${randomBytes(18).toString('base64url')}`,
    };
  }

  async run(): Promise<ShutdownResult> {
    const random = seededRandom(this.options.seed);
    const rounds: ShutdownRound[] = [];
    try {
      const { url, adminKey } = await this.start();
      const tenant = { id: 'shutdown', name: 'Shutdown' };
      this.bearer = await new ApiClient(url, adminKey).call('POST', '/v1/tenants', asTenantKey, tenant);
      for (let number = 1; number <= this.options.rounds; number++) {
        const afterMs = EARLIEST_MS + random() * (LATEST_MS - EARLIEST_MS);
        const round = await this.round(number, afterMs);
        rounds.push(round);
        this.options.onRound?.(round);
      }
      return { rounds, broken: brokenPromises(this.all, await this.stored(this.all)), log: this.log };
    } finally {
      await this.service?.kill('SIGKILL');
    }
  }

  private async start(): Promise<ServiceProcess> {
    const { src } = this.options;
    this.service = await ServiceProcess.start({
      main: join(src, 'main.js'),
      cwd: this.cwd,
      env: this.env,
      nodeOptions: ['--import', join(src, 'instrument.js')],
    });
    return this.service;
  }

  private get api(): ApiClient {
    return new ApiClient(this.service?.url ?? '', this.bearer);
  }

  private async round(number: number, afterMs: number): Promise<ShutdownRound> {
    const prefix = `r${number}`;
    const ids = await this.conversations(prefix);
    const figures = await this.shutDown(prefix, ids, afterMs);
    await this.start();
    this.all.push(...figures.sent);
    const stored = await this.stored(figures.sent);
    return {
      ...figures,
      number,
      acked: figures.sent.filter(isAcked).length,
      crossed: figures.sent.filter(({ answer }) => answer === undefined).length,
      broken: [...brokenByShutdown(figures), ...brokenPromises(figures.sent, stored)],
    };
  }

  /** One conversation per client. */
  private async conversations(prefix: string): Promise<string[]> {
    const { api } = this;
    const ids = new Array<string>(this.options.clients).fill('');
    await forEach([...ids.keys()], async (client) => {
      const conversation = { participantId: `${prefix}-p${client}`, channel: 'web' };
      ids[client] = (await api.call('POST', '/v1/conversations', asCreated, conversation)).id;
    });
    return ids;
  }

  private async shutDown(prefix: string, ids: readonly string[], afterMs: number): Promise<ShutdownFigures> {
    const { service, options } = this;
    if (!service) throw new Error('the service does not run');
    const load = new ShutdownLoad({
      url: service.url,
      key: this.bearer,
      clients: options.clients,
      prefix,
      conversationOf: (client) => ids[client] ?? '',
    });
    const ready = new ProbeWatch(service.url, '/health/ready', PROBE_EVERY_MS);
    const under = load.underWay();
    const ended = load.run();
    await under;
    await delay(afterMs);
    const before = answered(load.sent);
    const signalled = performance.now();
    const exit = await this.killWithin(service, options.graceMs + LEAST_WAIT_MS);
    const exitMs = performance.now() - signalled;
    await ended;
    await ready.stop();
    const notReady = ready.looks.find(({ at, http }) => at >= signalled && http === 503);
    this.log += `${service.stdout}${service.stderr}`;
    return {
      exit,
      exitMs,
      graceMs: options.graceMs,
      drainMs: options.drainMs,
      notReadyMs: notReady && notReady.at - signalled,
      closedMs: load.firstClosedAt - signalled,
      sent: load.sent,
      answeredLate: answered(load.sent) - before,
    };
  }

  /** Kills a process that is still running after its grace time, so that the timeout can be reported. */
  private async killWithin(service: ServiceProcess, ms: number): ReturnType<ServiceProcess['kill']> {
    const timer = setTimeout(() => void service.kill('SIGKILL'), ms);
    try {
      return await service.kill('SIGTERM');
    } finally {
      clearTimeout(timer);
    }
  }

  /** How many times the text of each request is stored. */
  private async stored(sent: readonly SentRequest[]): Promise<Map<string, number>> {
    const { api } = this;
    const counts = new Map<string, number>();
    const add = (text: string): void => void counts.set(text, (counts.get(text) ?? 0) + 1);
    await forEach([...new Set(sent.map(({ participantId }) => participantId))], async (participantId) => {
      const path = `/v1/conversations?participantId=${participantId}&limit=${PAGE}`;
      const { data } = await api.call('GET', path, asConversationPage);
      for (const { id } of data) for (const content of await userMessages(api, id)) add(content);
    });
    for (const { transcript } of await this.transcripts(sent)) add(transcript);
    return counts;
  }

  /** All transcripts, returned when they include everything acknowledged or the wait has timed out. */
  private async transcripts(sent: readonly SentRequest[]): ReturnType<typeof readAll> {
    const acked = sent.filter((one) => one.kind === 'transcript' && isAcked(one)).map(({ key }) => key);
    const begun = performance.now();
    for (;;) {
      const rows = await readAll(this.api);
      const present = new Set(rows.map(({ transcript }) => transcript));
      if (acked.every((key) => present.has(key)) || performance.now() - begun > STORED_WITHIN_MS) return rows;
      await delay(500);
    }
  }
}

const answered = (sent: readonly SentRequest[]): number =>
  sent.filter(({ answer }) => answer !== undefined).length;

/** The contents of user messages only, since replies may repeat them. */
async function userMessages(api: ApiClient, conversationId: string): Promise<string[]> {
  const contents: string[] = [];
  for (let afterSeq = 0; ;) {
    const path = `/v1/conversations/${conversationId}/messages?afterSeq=${afterSeq}&limit=${PAGE}`;
    const { data, nextCursor } = await api.call('GET', path, asMessagePage);
    contents.push(...data.filter(({ role }) => role === 'user').map(({ content }) => content));
    const last = data.at(-1);
    if (nextCursor === null || last === undefined) return contents;
    afterSeq = last.seq;
  }
}

/**
 * Stops the service with SIGTERM at random moments under load, restarts it, and checks that every promise of
 * a graceful shutdown was kept.
 */
export async function runShutdowns(options: ShutdownOptions): Promise<ShutdownResult> {
  const cwd = await mkdtemp(join(tmpdir(), 'colloquy-shutdown-'));
  try {
    return await new ShutdownRun(options, cwd).run();
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}
