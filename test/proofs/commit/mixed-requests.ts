import type { ApiResponse } from '../../../src/cli/index.js';
import { readConversation } from '../crash/check.js';
import type { CommitLab } from './commit-lab.js';

const REQUESTS = 64;

const codeOf = ({ status, body }: ApiResponse): string =>
  `${status} ${(body as { code?: string }).code ?? ''}`.trimEnd();

/**
 * Sends 64 requests at the same time: one appends to a closed conversation and one uses an externalId of
 * another conversation. Returns one problem for each deviation from the expected result, which is that only
 * these two are rejected and the others are stored.
 */
export async function runMixedRequests(lab: CommitLab): Promise<string[]> {
  const { api } = lab;
  const ids = await lab.conversations(REQUESTS + 1, 'mixed');
  const append = (id: string, externalId: string): Promise<ApiResponse> =>
    api.request('POST', `/v1/conversations/${id}/messages`, {
      messages: [{ role: 'user', content: 'one of 64', externalId }],
    });
  const [taken = '', closed = '', duplicated = ''] = ids;
  await append(taken, 'taken');
  await api.call('POST', `/v1/conversations/${closed}/close`, (body) => body);
  const targets = ids.slice(1);
  const answers = await Promise.all(
    targets.map((id, index) => append(id, id === duplicated ? 'taken' : `mixed-${index}`)),
  );
  const problems: string[] = [];
  for (const [index, id] of targets.entries()) {
    const isRefused = id === closed || id === duplicated;
    const expected =
      id === closed ? '409 conversation_closed' : id === duplicated ? '409 external_id_in_use' : '201';
    const answer = answers[index];
    const shown = answer ? codeOf(answer) : 'nothing';
    if (shown !== expected) problems.push(`request ${index + 1} returned ${shown} instead of ${expected}`);
    const { messages } = await readConversation(api, id);
    if (messages.length !== Number(!isRefused))
      problems.push(`request ${index + 1} stored ${messages.length} messages`);
  }
  return problems;
}
