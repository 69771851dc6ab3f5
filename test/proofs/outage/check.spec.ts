import { missedLimits, type OutageFigures } from './check.js';
import type { Sample } from './load.js';

const sample = (status: number, rest: Partial<Sample> = {}): Sample => ({
  what: 'message',
  begun: 0,
  ms: 10,
  status,
  saysWhen: status === 503,
  ...rest,
});

const met: OutageFigures = {
  name: 'killed',
  outageMs: 45_000,
  noticedMs: 5000,
  recoveredMs: 10_000,
  servedMs: 900,
  live: [{ at: 1, ms: 1, http: 200, status: 'ok' }],
  during: [sample(503, { code: 'database_unavailable', ms: 30_000 }), sample(200)],
  after: [sample(201)],
  longestMs: 30_000,
};

describe('missedLimits', () => {
  it('returns nothing when every limit is met', () => {
    expect(missedLimits(met)).toEqual([]);
  });

  it.each<[string, Partial<OutageFigures>]>([
    ['ready did not return 503', { noticedMs: 5001 }],
    ['ready did not return 503', { noticedMs: undefined }],
    ['ready did not return 200', { recoveredMs: 10_001 }],
    ['ready did not return 200', { recoveredMs: undefined }],
    ['live was never requested', { live: [] }],
    ['live returned something other than 200', { live: [{ at: 1, ms: 1, http: 0, status: undefined }] }],
    ['no request failed', { during: [sample(200)] }],
    ['1 x 500 internal_error', { during: [sample(500, { code: 'internal_error' })] }],
    ['1 x 0 no_answer', { during: [sample(0, { code: 'no_answer' })] }],
    ['did not return a 503 problem', { during: [sample(503, { saysWhen: false })] }],
    ['a request took 30001 ms', { during: [sample(503, { ms: 30_001 })] }],
    ['no request succeeded', { after: [] }],
    ['1 requests sent after ready returned 200 failed', { after: [sample(200), sample(503)] }],
  ])('reports "%s"', (text, changes) => {
    expect(missedLimits({ ...met, ...changes }).join()).toContain(text);
  });
});
