import { type ApiResponse, asCreated } from '../../../src/cli/index.js';
import { readConversation } from '../crash/check.js';
import type { CommitLab } from './commit-lab.js';

const REQUESTS = 64;

const codeOf = ({ status, body }: ApiResponse): string =>
  `${status} ${(body as { code?: string }).code ?? ''}`.trimEnd();

/**
 * Sends 64 requests at the same time: one appends to a closed conversation and one uses an externalId of
 * another conversation of the participant. Returns one problem for each deviation from the expected result, which is that only
 * these two are rejected and the others are stored.
 */
export async function runMixedRequests(lab: CommitLab): Promise<string[]> {
  const { api } = lab;
  const targets = await lab.conversations(REQUESTS, 'mixed');
  const append = (id: string, externalId: string): Promise<ApiResponse> =>
    api.request('POST', `/v1/conversations/${id}/messages`, {
      messages: [{ role: 'user', content: 'one of 64', externalId }],
    });
  const [closed = '', duplicated = ''] = targets;
  // Another conversation of the participant of `duplicated`: an externalId is unique only among those.
  const other = await api.call('POST', '/v1/conversations', asCreated, {
    participantId: 'mixed-1',
    channel: 'web',
  });
  await append(other.id, 'taken');
  await api.call('POST', `/v1/conversations/${closed}/close`, (body) => body);
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
