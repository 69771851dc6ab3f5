import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { ApiClient, asCreated, asTenantKey } from '../../../src/cli/index.js';
import { createServiceFolder, type ServiceProcess } from '../../support/process.js';
import { type Percentiles, percentilesOf } from '../../support/percentiles.js';

export interface SlowClientsOptions {
  /** Connections that request the largest pages and do not read them. */
  readers: number;
  /** Connections that send one byte of a large body per second. Half of them have no valid key. */
  writers: number;
  /** Clients that request the largest page at the same time, once per second. */
  pages: number;
  /** Duration of each of the two phases, ms. */
  phaseMs: number;
}

export interface SlowClientsResult {
  /** Server times of another tenant's requests without and with the slow clients, ms. */
  quiet: Percentiles;
  loaded: Percentiles;
  /** Requests of the other tenant that were not answered with 2xx. */
  failed: number;
  pagesRead: number;
  largestPageBytes: number;
  /** Connections of slow clients that the service has ended. */
  endedReaders: number;
  endedWriters: number;
  /** Highest resident memory of the process, bytes. */
  peakRssBytes: number;
  isAlive: boolean;
}

const HEAP_MIB = 512;
const TRANSCRIPTS = 24;
const PARTICIPANTS = 4;
const BODY_BYTES = 8 * 2 ** 20;

/** The resident memory of a process, bytes. */
const rssOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;

const createTenant = async (service: ServiceProcess, id: string): Promise<string> =>
  new ApiClient(service.url, service.adminKey).call('POST', '/v1/tenants', asTenantKey, { id, name: id });

/** Stores pages of transcripts and messages that are as large as they can be. */
async function fill(url: string, key: string): Promise<string> {
  const api = new ApiClient(url, key);
  const transcript = 'word '.repeat(200_000);
  for (let stored = 0; stored < TRANSCRIPTS;) {
    const { status } = await api.request('POST', '/v1/transcripts', {
      participantId: 'p',
      channel: 'web',
      transcript,
    });
    if (status === 202) stored++;
    else if (status === 429 || status === 503) await delay(500);
    else throw new Error(`a transcript was answered with ${status}`);
  }
  const { id } = await api.call('POST', '/v1/conversations', asCreated, {
    participantId: 'p',
    channel: 'web',
  });
  for (let batch = 0; batch < 8; batch++) {
    const messages = Array.from({ length: 25 }, () => ({ role: 'user', content: 'x'.repeat(65_536) }));
    const { status } = await api.request('POST', `/v1/conversations/${id}/messages`, { messages });
    if (status !== 201) throw new Error(`an append was answered with ${status}`);
  }
  return `/v1/conversations/${id}/messages?limit=200`;
}

class SlowClients {
  private readonly sockets: Socket[] = [];
  private readonly timers: NodeJS.Timeout[] = [];
  endedReaders = 0;
  endedWriters = 0;

  constructor(private readonly url: URL) {}

  private open(onEnd: () => void): Socket {
    const socket = connect({ host: this.url.hostname, port: Number(this.url.port) });
    socket.on('error', () => undefined).on('close', onEnd);
    this.sockets.push(socket);
    return socket;
  }

  read(path: string, key: string): void {
    const socket = this.open(() => this.endedReaders++);
    socket.pause();
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`);
  }

  write(key: string): void {
    const socket = this.open(() => this.endedWriters++);
    socket.resume();
    socket.write(
      `POST /v1/transcripts HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n` +
        `content-type: application/json\r\ncontent-length: ${BODY_BYTES}\r\n\r\n{"transcript":"`,
    );
    this.timers.push(setInterval(() => socket.writable && socket.write('x'), 1000));
  }

  close(): void {
    for (const timer of this.timers) clearInterval(timer);
    for (const socket of this.sockets) socket.removeAllListeners('close').destroy();
  }
}

/** Sends requests of a few participants, one after the other, and returns their durations, ms. */
async function measure(
  url: string,
  key: string,
  forMs: number,
): Promise<{ times: number[]; failed: number }> {
  const api = new ApiClient(url, key);
  const times: number[] = [];
  let failed = 0;
  const until = performance.now() + forMs;
  const client = async (participantId: string): Promise<void> => {
    while (performance.now() < until) {
      const began = performance.now();
      const { status } = await api
        .request('POST', '/v1/messages', { participantId, channel: 'web', content: 'hello' })
        .catch(() => ({ status: 0 }));
      times.push(performance.now() - began);
      if (status !== 201) failed++;
      await delay(20);
    }
  };
  await Promise.all(Array.from({ length: PARTICIPANTS }, (_, n) => client(`p${n}`)));
  return { times, failed };
}

/**
 * Runs the service with a heap of 512 MiB, and measures one tenant's requests first alone, and then while
 * another tenant's clients read and write slowly and request the largest pages.
 */
export async function runSlowClients(options: SlowClientsOptions): Promise<SlowClientsResult> {
  const folder = await createServiceFolder();
  let clients: SlowClients | undefined;
  try {
    const service = await folder.start({}, [`--max-old-space-size=${HEAP_MIB}`]);
    const { url, pid = 0 } = service;
    const [slowKey, quietKey] = [await createTenant(service, 'slow'), await createTenant(service, 'quiet')];
    const messages = await fill(url, slowKey);
    await measure(url, quietKey, Math.min(2000, options.phaseMs));
    const quiet = await measure(url, quietKey, options.phaseMs);

    let peakRssBytes = 0;
    let pagesRead = 0;
    let largestPageBytes = 0;
    let isOver = false;
    let hasExited = false;
    void service.exited.then(() => (hasExited = true));
    clients = new SlowClients(new URL(url));
    for (let i = 0; i < options.readers; i++)
      clients.read(i % 2 === 0 ? messages : '/v1/transcripts?limit=200', slowKey);
    for (let i = 0; i < options.writers; i++) clients.write(i % 2 === 0 ? slowKey : 'unknown');
    const pages = async (): Promise<void> => {
      while (!isOver) {
        const response = await fetch(`${url}/v1/transcripts?limit=200`, {
          headers: { authorization: `Bearer ${slowKey}` },
        }).catch(() => undefined);
        const bytes = (await response?.arrayBuffer().catch(() => undefined))?.byteLength ?? 0;
        if (response?.status === 200 && bytes > 0) pagesRead++;
        largestPageBytes = Math.max(largestPageBytes, bytes);
        await delay(1000);
      }
    };
    const watch = async (): Promise<void> => {
      while (!isOver && !hasExited) {
        peakRssBytes = Math.max(peakRssBytes, rssOf(pid));
        await delay(100);
      }
    };
    const background = [...Array.from({ length: options.pages }, pages), watch()];
    const loaded = await measure(url, quietKey, options.phaseMs);
    isOver = true;
    await Promise.all(background);
    const live = await fetch(`${url}/health/live`).catch(() => undefined);
    return {
      quiet: percentilesOf(quiet.times),
      loaded: percentilesOf(loaded.times),
      failed: quiet.failed + loaded.failed,
      pagesRead,
      largestPageBytes,
      endedReaders: clients.endedReaders,
      endedWriters: clients.endedWriters,
      peakRssBytes,
      isAlive: live?.status === 200,
    };
  } finally {
    clients?.close();
    await folder.remove();
  }
}
