import { setTimeout as delay } from 'node:timers/promises';
import { quantile } from '../monitoring/rounds.js';
import type { BenchService } from '../http/service.js';
import { untilAborted } from '../../src/common/index.js';
import { httpRequest, runLoad } from '../../test/support/http-load.js';
import { type Percentiles, percentilesOf } from '../../test/support/percentiles.js';
import { loadTexts } from '../storage/texts.js';
import { counterOf, type TargetName } from './targets.js';

export interface TranscriptOptions {
  rounds: number;
  seconds: number;
  clients: number;
  /** Requests per second of all clients together, evenly spread. */
  perSecond: number;
  warmUpSeconds: number;
  signal: AbortSignal;
  onProgress: (line: string) => void;
}

export interface TranscriptRound {
  /** Responses per second; below the requested rate when the service does not keep up. */
  perSecond: number;
  /** From the headers of a request to the end of its response, measured in the service, in milliseconds. */
  server: Percentiles;
  /**
   * Transcripts stored per second, from the first request until all but the last batch are stored with their
   * vectors.
   */
  storedPerSecond: number;
}

/** Each figure is the median of the rounds. */
export interface TranscriptRow extends TranscriptRound {
  target: TargetName;
  rounds: TranscriptRound[];
}

export interface TranscriptTarget {
  name: TargetName;
  service: BenchService;
}

/** The reply of `server-times.ts`, in milliseconds. */
export interface ServerTimes {
  serverTimes: number[];
}

const isServerTimes = (reply: unknown): reply is ServerTimes =>
  typeof reply === 'object' && reply !== null && 'serverTimes' in reply;

/** Maximum size of the last batch, which may wait to be filled. */
const LAST_BATCH = 32;
const LONGEST_WAIT_MS = 60_000;
const SAMPLE_MS = 100;
const PARTICIPANTS = 500;

const stored = ({ url }: BenchService): Promise<number> =>
  counterOf(url, 'colloquy_transcripts_stored_total');

/**
 * Measures the rate at which the next `count` transcripts are stored; NaN when the service does not count
 * them, or not in time.
 */
async function storedPerSecond(service: BenchService, count: number, signal: AbortSignal): Promise<number> {
  const before = await stored(service);
  if (Number.isNaN(before)) return NaN;
  const begun = performance.now();
  for (;;) {
    await delay(SAMPLE_MS, undefined, { signal });
    const more = (await stored(service)) - before;
    const ms = performance.now() - begun;
    if (more >= count) return (more / ms) * 1000;
    if (ms > LONGEST_WAIT_MS) return NaN;
  }
}

async function runRound(
  { service }: TranscriptTarget,
  requests: readonly Buffer[],
  { clients, perSecond, signal }: TranscriptOptions,
): Promise<TranscriptRound> {
  await service.process.ask('times', isServerTimes);
  const storing = storedPerSecond(service, Math.max(1, requests.length - LAST_BATCH), signal);
  const loading = runLoad(service.url, { requests, clients, perSecond, status: 202 });
  const [load, storedRate] = await untilAborted(Promise.all([loading, storing]), signal);
  const { serverTimes } = await service.process.ask('times', isServerTimes);
  return {
    perSecond: requests.length / load.seconds,
    server: percentilesOf(serverTimes),
    storedPerSecond: storedRate,
  };
}

function rowOf(target: TargetName, rounds: TranscriptRound[]): TranscriptRow {
  const median = (pick: (round: TranscriptRound) => number): number => quantile(rounds.map(pick), 0.5);
  const server = (name: keyof Percentiles): number => median((round) => round.server[name]);
  return {
    target,
    perSecond: median((round) => round.perSecond),
    server: {
      count: server('count'),
      mean: server('mean'),
      p50: server('p50'),
      p95: server('p95'),
      p99: server('p99'),
      max: server('max'),
    },
    storedPerSecond: median((round) => round.storedPerSecond),
    rounds,
  };
}

/**
 * Sends POST /v1/transcripts at a fixed rate to each service in turn.
 * @throws Error at the first response with a status other than 202
 */
export async function runTranscripts(
  targets: readonly TranscriptTarget[],
  options: TranscriptOptions,
): Promise<TranscriptRow[]> {
  const { rounds, seconds, warmUpSeconds, perSecond, onProgress } = options;
  const texts = await loadTexts('');
  const results = new Map<TargetName, TranscriptRound[]>(targets.map(({ name }) => [name, []]));
  // Round 0 is the warm-up.
  for (let number = warmUpSeconds > 0 ? 0 : 1; number <= rounds; number++)
    for (let turn = 0; turn < targets.length; turn++) {
      const target = targets[(number + turn) % targets.length];
      if (!target) continue;
      const count = perSecond * (number === 0 ? warmUpSeconds : seconds);
      const requests = Array.from({ length: count }, (_, n) =>
        httpRequest('POST', '/v1/transcripts', target.service.key, {
          participantId: `participant-${n % PARTICIPANTS}`,
          channel: 'web',
          transcript: texts.transcript(`round-${number}`, n),
        }),
      );
      const round = await runRound(target, requests, options);
      if (number === 0) continue;
      results.get(target.name)?.push(round);
      onProgress(
        `transcripts, round ${number}: ${target.name} ${Math.round(round.perSecond)}/s, p99 ${round.server.p99.toFixed(1)} ms`,
      );
    }
  return targets.map(({ name }) => rowOf(name, results.get(name) ?? []));
}
