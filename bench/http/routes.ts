import { type ApiClient, asCreated } from '../../src/cli/index.js';
import { httpRequest } from '../../test/support/http-load.js';

/** A type of request that clients send. */
export interface Route {
  /** Method and template. */
  name: string;
  /** Frequency relative to the other routes. */
  weight: number;
  /** The expected status. */
  status: number;
  /** Returns request number `count` of a client. */
  request: (client: number, count: number) => Buffer;
}

export const PREPARED_MESSAGES = 20;
const PREPARERS = 16;
export const PAGE = 20;

export const participantOf = (client: number): string => `participant-${client}`;

export const text = (client: number, count: number): string =>
  `I would like to book a table for ${2 + (count % 7)} in Lisbon on day ${count % 28} of the month, name ${client}`;

const sessionOf = (count: number): unknown => ({
  activeGoals: [{ type: 'restaurants/book_table', slots: { city: 'Lisbon', people: count % 9 } }],
  context: { turn: count },
});

/**
 * Creates for each client a participant with a conversation of 20 messages and a session. Returns the ids of
 * the conversations.
 */
export async function prepareConversations(api: ApiClient, clients: number): Promise<string[]> {
  const ids = new Array<string>(clients).fill('');
  let next = 0;
  const preparer = async (): Promise<void> => {
    for (let client = next++; client < clients; client = next++) {
      const participantId = participantOf(client);
      const conversation = { participantId, channel: 'web' };
      const { id } = await api.call('POST', '/v1/conversations', asCreated, conversation);
      const messages = Array.from({ length: PREPARED_MESSAGES }, (_, count) => ({
        role: count % 2 === 0 ? 'user' : 'assistant',
        content: text(client, count),
      }));
      await api.call('POST', `/v1/conversations/${id}/messages`, () => undefined, { messages });
      await api.call('PATCH', `/v1/sessions/${participantId}`, () => undefined, sessionOf(0));
      ids[client] = id;
    }
  };
  await Promise.all(Array.from({ length: PREPARERS }, preparer));
  return ids;
}

/** Prepares the main routes of the API as a bot uses them, with a separate participant for each client. */
export async function prepareRoutes(api: ApiClient, key: string, clients: number): Promise<Route[]> {
  const ids = await prepareConversations(api, clients);
  const idOf = (client: number): string => ids[client] ?? '';
  const send = (method: string, path: string, body?: unknown): Buffer => httpRequest(method, path, key, body);
  const channel = 'web';
  return [
    {
      name: 'POST /v1/messages',
      weight: 4,
      status: 201,
      request: (client, count) =>
        send('POST', '/v1/messages', {
          participantId: participantOf(client),
          channel,
          content: text(client, count),
        }),
    },
    {
      name: 'POST /v1/conversations/:id/messages',
      weight: 4,
      status: 201,
      request: (client, count) =>
        send('POST', `/v1/conversations/${idOf(client)}/messages`, {
          messages: [{ role: 'user', content: text(client, count) }],
        }),
    },
    {
      name: 'GET /v1/conversations/:id/messages',
      weight: 4,
      status: 200,
      request: (client) => send('GET', `/v1/conversations/${idOf(client)}/messages?limit=${PAGE}`),
    },
    {
      name: 'GET /v1/conversations/:id',
      weight: 2,
      status: 200,
      request: (client) => send('GET', `/v1/conversations/${idOf(client)}`),
    },
    {
      name: 'GET /v1/conversations',
      weight: 1,
      status: 200,
      request: (client) =>
        send('GET', `/v1/conversations?participantId=${participantOf(client)}&limit=${PAGE}`),
    },
    {
      name: 'POST /v1/conversations',
      weight: 1,
      status: 201,
      request: (client) =>
        send('POST', '/v1/conversations', { participantId: participantOf(client), channel: 'phone' }),
    },
    {
      name: 'GET /v1/sessions/:participantId',
      weight: 3,
      status: 200,
      request: (client) => send('GET', `/v1/sessions/${participantOf(client)}`),
    },
    {
      name: 'PATCH /v1/sessions/:participantId',
      weight: 3,
      status: 200,
      request: (client, count) => send('PATCH', `/v1/sessions/${participantOf(client)}`, sessionOf(count)),
    },
    {
      name: 'POST /v1/transcripts',
      weight: 1,
      status: 202,
      request: (client, count) =>
        send('POST', '/v1/transcripts', {
          participantId: participantOf(client),
          channel,
          transcript: `user: ${text(client, count)}\nassistant: It is booked.`,
        }),
    },
    {
      name: 'POST /v1/transcripts/search',
      weight: 1,
      status: 200,
      request: (_client, count) =>
        send('POST', '/v1/transcripts/search', { query: `a table in Lisbon on day ${count % 28}`, limit: 5 }),
    },
  ];
}
