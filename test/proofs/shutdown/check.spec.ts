import { brokenByShutdown, brokenPromises, type ShutdownFigures } from './check.js';
import type { SentRequest } from './load.js';

const request = (changes: Partial<SentRequest> = {}): SentRequest => ({
  key: 'k',
  kind: 'append',
  participantId: 'p',
  answer: 201,
  ...changes,
});

const kept: ShutdownFigures = {
  exit: { code: 0, signal: null },
  exitMs: 4000,
  graceMs: 25_000,
  drainMs: 3000,
  notReadyMs: 20,
  closedMs: 3000,
  sent: [request(), { key: 'idle', kind: 'append', participantId: 'p' }],
  answeredLate: 1,
};

describe('brokenByShutdown', () => {
  it('returns nothing for a shutdown that kept all promises', () => {
    expect(brokenByShutdown(kept)).toEqual([]);
  });

  it('requires no 503 when there is no drain time', () => {
    expect(brokenByShutdown({ ...kept, drainMs: 0, notReadyMs: undefined })).toEqual([]);
  });

  it.each<[string, Partial<ShutdownFigures>]>([
    ['exited with code 1', { exit: { code: 1, signal: null } }],
    ['exited with SIGKILL', { exit: { code: null, signal: 'SIGKILL' } }],
    ['more than the 25000 ms of grace', { exitMs: 25_001 }],
    ['never returned 503', { notReadyMs: undefined }],
    ['closed before /health/ready returned 503', { notReadyMs: 3001 }],
    ['1 responses were truncated', { sent: [request(), request({ answer: 'cut' })] }],
    ['rejected: append 503', { sent: [request(), request({ answer: 503 })] }],
    ['no request succeeded', { sent: [] }],
  ])('reports "%s"', (text, changes) => {
    expect(brokenByShutdown({ ...kept, ...changes }).join()).toContain(text);
  });
});

describe('brokenPromises', () => {
  const unanswered: SentRequest = { key: 'k', kind: 'transcript', participantId: 'p' };

  it.each<[string, SentRequest, number]>([
    ['lost', request(), 0],
    ['duplicated', request(), 2],
    ['duplicated', request({ answer: 503 }), 2],
    ['unanswered', unanswered, 1],
  ])('reports what is %s', (text, sent, times) => {
    expect(brokenPromises([sent], new Map([['k', times]])).join()).toContain(text);
  });

  it.each<[string, SentRequest, number]>([
    ['stored once as acknowledged', request(), 1],
    ['neither acknowledged nor stored', unanswered, 0],
    ['only read', request({ kind: 'read', answer: 200 }), 0],
  ])('accepts a request that is %s', (_name, sent, times) => {
    expect(brokenPromises([sent], new Map([['k', times]]))).toEqual([]);
  });
});
