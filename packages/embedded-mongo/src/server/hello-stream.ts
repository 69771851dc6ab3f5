import { ObjectId } from 'bson';
import { toBigInt } from '../commands/arguments.js';
import { topologyVersion } from '../commands/handshake.js';
import { isDoc, isNumeric, readField, toNumber } from '../values/bson.js';
import type { WireRequest } from './framing.js';

const helloNames = new Set(['hello', 'isMaster', 'ismaster']);

/**
 * Detects a monitor's hello that waits for changes: it contains the current topology version and a maximum
 * waiting time. The role of this server never changes, so such a hello always waits for the full time.
 */
export function awaitedHello(request: WireRequest): { maxAwaitMs: number } | undefined {
  const { body } = request;
  if (request.kind !== 'message' || body.length > 4096 || !isHello(body)) return undefined;
  const known = readField(body, 'topologyVersion');
  const maxAwait = readField(body, 'maxAwaitTimeMS');
  if (!isDoc(known) || !isNumeric(maxAwait)) return undefined;
  const current = topologyVersion();
  const sameProcess =
    known['processId'] instanceof ObjectId && known['processId'].equals(current['processId'] as ObjectId);
  if (!sameProcess || toBigInt(known['counter']) !== 0n) return undefined;
  return { maxAwaitMs: Math.max(0, toNumber(maxAwait)) };
}

function isHello(body: Uint8Array): boolean {
  const end = body.indexOf(0, 5);
  return helloNames.has(Buffer.from(body.subarray(5, end)).toString('latin1'));
}

/** Resolves after `ms` milliseconds, or immediately when the connection closes. */
export function waitForChange(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    timer.unref();
    signal.addEventListener('abort', done, { once: true });
  });
}
