import { ApiClient, type ApiResponse } from '../../../src/cli/index.js';
import { check, drained } from './check.js';
import { type Ledger, messagesOf, textOf } from './ledger.js';
import type { StoredTranscript } from './shapes.js';

const rowOf = (key: string, id: string, more: Partial<StoredTranscript> = {}): StoredTranscript => ({
  id,
  status: 'stored',
  transcript: textOf(key),
  participantId: key,
  metadata: { key },
  ...more,
});

/** A fake service that returns these rows in pages of two. */
class FakeApi extends ApiClient {
  constructor(
    private readonly rows: readonly StoredTranscript[],
    private readonly jobState = 'completed',
  ) {
    super('http://localhost', undefined);
  }

  override request(method: string, path: string): Promise<ApiResponse> {
    const answer = (body: unknown, status = 200) => Promise.resolve({ status, headers: new Headers(), body });
    const url = new URL(path, this.url);
    if (method === 'POST') return answer({ data: this.rows });
    if (url.pathname.startsWith('/v1/jobs/')) return answer({ state: this.jobState });
    if (url.pathname === '/v1/transcripts/stats') return answer({ queued: 0, processing: 0 });
    const [, id] = /transcripts\/(.+)$/.exec(url.pathname) ?? [];
    const row = this.rows.find((one) => one.id === id);
    if (id !== undefined) return row ? answer(row) : answer({ code: 'transcript_not_found' }, 404);
    const from = Number(url.searchParams.get('cursor') ?? 0);
    const nextCursor = from + 2 < this.rows.length ? String(from + 2) : null;
    return answer({ data: this.rows.slice(from, from + 2), nextCursor });
  }
}

const ledger = (): Ledger => ({
  transcripts: [{ key: 't-1', id: 'a' }, { key: 't-2', id: 'b' }, { key: 't-3' }, { key: 't-4' }],
  closings: [
    { key: 'c-5', messages: messagesOf('c-5'), acked: { transcriptId: 'e', queue: 'q', jobId: 'j' } },
  ],
  refused: new Map(),
});
const closed = rowOf('c-5', 'e', { transcript: messagesOf('c-5').join('\n') });
const sound = [rowOf('t-1', 'a'), rowOf('t-2', 'b'), rowOf('t-3', 'c'), closed];

describe('check', () => {
  it('finds everything acknowledged and counts what is stored without a response', async () => {
    expect(await check(new FakeApi(sound), ledger())).toEqual({
      acked: { transcripts: 2, closings: 1 },
      found: { transcripts: 2, closings: 1 },
      unackedStored: 1,
      sent: 5,
      rows: 4,
      searched: { found: 2, of: 2 },
      problems: [],
    });
    expect(await drained(new FakeApi(sound), ledger())).toBeGreaterThanOrEqual(0);
  });

  it.each([
    ['lost', sound.slice(1)],
    ['lost', [rowOf('t-1', 'other'), ...sound.slice(1)]],
    ['torn', [rowOf('t-1', 'a', { transcript: textOf('t-1').slice(1) }), ...sound.slice(1)]],
    ['torn', [rowOf('t-1', 'a', { status: 'failed' }), ...sound.slice(1)]],
    ['torn', [...sound.slice(0, 3), rowOf('c-5', 'e', { transcript: 'another' })]],
    ['duplicated', [...sound, rowOf('t-2', 'b2')]],
    ['duplicated', [...sound, rowOf('t-3', 'c2')]],
    ['unknown', [...sound, rowOf('t-99', 'z')]],
  ])('reports a transcript as %s', async (kind, rows) => {
    const { problems } = await check(new FakeApi(rows), ledger());
    expect(problems).toEqual([expect.stringMatching(`^${kind}: `)]);
  });

  it('reports a job that did not complete', async () => {
    const { problems } = await check(new FakeApi(sound, 'failed'), ledger());
    expect(problems).toEqual(['job: the job of c-5 is failed']);
  });
});
