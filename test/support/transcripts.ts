import type { TestTenant } from './app.js';
import { eventually } from './eventually.js';

export interface TranscriptState {
  id: string;
  status: string;
  error?: string | null;
}

export async function accept(of: TestTenant, transcript: string): Promise<string> {
  const { status, body } = await of.request<TranscriptState>('POST', '/v1/transcripts', {
    participantId: 'ana',
    channel: 'web',
    transcript,
  });
  if (status !== 202) throw new Error(`${status} ${JSON.stringify(body)}`);
  return body.id;
}

export const stateOf = async (of: TestTenant, id: string): Promise<TranscriptState> =>
  (await of.request<TranscriptState>('GET', `/v1/transcripts/${id}`)).body;

/** Waits until the transcript has this status. */
export const becomes = (of: TestTenant, id: string, status: string): Promise<void> =>
  eventually(async () => (await stateOf(of, id)).status === status);

/** Returns the ids of the hits, best first. */
export async function search(of: TestTenant, query: string): Promise<string[]> {
  const { status, body } = await of.request<{ data: { id: string }[] }>('POST', '/v1/transcripts/search', {
    query,
    limit: 100,
  });
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
  return body.data.map(({ id }) => id);
}
