import type { ServiceExit } from '../../support/service-process.js';
import { isAcked, type SentRequest } from './load.js';

/** The measurements of one shutdown. Times are in milliseconds after the signal. */
export interface ShutdownFigures {
  exit: ServiceExit;
  exitMs: number;
  graceMs: number;
  /** SHUTDOWN_DRAIN_MS. With 0 the service does not wait for load balancers to see that it is not ready. */
  drainMs: number;
  /** Time of the first 503 of /health/ready; undefined if none was seen. */
  notReadyMs: number | undefined;
  /** Time at which the service first closed or refused a connection. */
  closedMs: number;
  sent: readonly SentRequest[];
  /** How many responses arrived after the signal. */
  answeredLate: number;
}

/** How many times the text of each key is stored, read after the restart. */
export type StoredCounts = ReadonlyMap<string, number>;

/** One sentence for each promise that the shutdown itself broke. */
export function brokenByShutdown(figures: ShutdownFigures): string[] {
  const { exit, exitMs, graceMs, drainMs, notReadyMs, closedMs, sent } = figures;
  const broken: string[] = [];
  if (exit.code !== 0) broken.push(`the service exited with ${exit.signal ?? `code ${String(exit.code)}`}`);
  if (exitMs > graceMs) broken.push(`it took ${Math.round(exitMs)} ms, more than the ${graceMs} ms of grace`);
  if (drainMs > 0 && notReadyMs === undefined) broken.push('/health/ready never returned 503');
  if (drainMs > 0 && notReadyMs !== undefined && notReadyMs > closedMs)
    broken.push('a connection was closed before /health/ready returned 503');
  const cut = sent.filter(({ answer }) => answer === 'cut').length;
  if (cut > 0) broken.push(`${cut} responses were truncated`);
  const refused = sent.filter((request) => typeof request.answer === 'number' && !isAcked(request));
  if (refused.length > 0)
    broken.push(
      `${refused.length} requests were rejected: ` +
        [...new Set(refused.map(({ kind, answer }) => `${kind} ${String(answer)}`))].join(', '),
    );
  if (!sent.some(isAcked)) broken.push('no request succeeded: it has shown nothing');
  return broken;
}

/** One sentence for each request whose stored outcome contradicts its response. */
export function brokenPromises(sent: readonly SentRequest[], stored: StoredCounts): string[] {
  const broken: string[] = [];
  for (const request of sent) {
    if (request.kind === 'read') continue;
    const { key, kind, answer } = request;
    const times = stored.get(key) ?? 0;
    if (isAcked(request) && times === 0)
      broken.push(`lost: ${kind} ${key} was acknowledged and is not stored`);
    if (times > 1) broken.push(`duplicated: ${kind} ${key} is stored ${times} times`);
    if (answer === undefined && times > 0)
      broken.push(`unanswered: ${kind} ${key} was executed, but its client received no response`);
  }
  return broken;
}
