import { createTestApp, type TestApp, type TestTenant } from '../support/app.js';
import { eventually } from '../support/eventually.js';

interface Page {
  data: { id: string; seq?: number }[];
  nextCursor: string | null;
}

const MAX_BYTES = 2.2 * 1024 * 1024;

describe('the size of a page', () => {
  let app: TestApp;
  let tenant: TestTenant;

  beforeAll(async () => {
    app = await createTestApp({ TRANSCRIPT_BATCH_TIMEOUT_MS: '10' });
    tenant = await app.createTenant();
  });
  afterAll(() => app.close());

  /** Reads all pages of a list, and checks that none is too large or empty. */
  const readAll = async (path: string): Promise<Page['data'][]> => {
    const pages: Page['data'][] = [];
    let cursor = '';
    do {
      const { body } = await tenant.request<Page>('GET', `${path}limit=200${cursor}`);
      expect(JSON.stringify(body).length).toBeLessThan(MAX_BYTES);
      expect(body.data.length).toBeGreaterThan(0);
      pages.push(body.data);
      cursor = body.nextCursor === null ? '' : `&cursor=${body.nextCursor}`;
    } while (cursor !== '');
    return pages;
  };

  it('is limited for messages, in every direction, and no message is left out', async () => {
    const created = await tenant.request<{ id: string }>('POST', '/v1/conversations', {
      participantId: 'ana',
      channel: 'web',
    });
    const path = `/v1/conversations/${created.body.id}/messages`;
    const messages = Array.from({ length: 100 }, () => ({ role: 'user', content: 'x'.repeat(60_000) }));
    expect(await tenant.request('POST', path, { messages })).toMatchObject({ status: 201 });
    const all = Array.from({ length: 100 }, (_, index) => index + 1);
    const seqs = (pages: Page['data'][]): unknown[] => pages.flat().map(({ seq }) => seq);

    const forward = await readAll(`${path}?`);
    expect(forward.length).toBeGreaterThan(2);
    expect(seqs(forward)).toEqual(all);
    const backward = await readAll(`${path}?beforeSeq=101&`);
    expect(seqs(backward.toReversed())).toEqual(all);
    expect(new Set(seqs(await readAll('/v1/messages?'))).size).toBe(100);
  });

  it('is limited for transcripts, and a search lists the other hits without content', async () => {
    const transcript = 'a table for four '.repeat(50_000);
    const ids: string[] = [];
    for (let count = 0; count < 5; count++) {
      const body = { participantId: 'ana', channel: 'web', transcript };
      const { body: accepted } = await tenant.request<{ id: string }>('POST', '/v1/transcripts', body);
      ids.push(accepted.id);
    }
    await eventually(async () => {
      const { body } = await tenant.request<{ completed: number }>('GET', '/v1/transcripts/stats');
      return body.completed === 5;
    });
    const pages = await readAll('/v1/transcripts?');
    expect(pages.map(({ length }) => length)).toEqual([2, 2, 1]);
    expect(pages.flat().map(({ id }) => id)).toEqual(ids.toReversed());

    const { body } = await tenant.request<{
      data: { id: string }[];
      further: { id: string; score: number }[];
    }>('POST', '/v1/transcripts/search', { query: 'a table for four', limit: 10 });
    expect([body.data.length, body.further.length]).toEqual([2, 3]);
    expect([...body.data, ...body.further].map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
    expect(Object.keys(body.further[0] ?? {}).toSorted()).toEqual(['id', 'score']);
  });
});
