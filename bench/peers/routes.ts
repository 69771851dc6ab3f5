import { PAGE, participantOf, PREPARED_MESSAGES, text } from '../http/routes.js';
import type { PeerRequest } from './load.js';

/** A measured route. */
export interface PeerRoute {
  /** Name for --routes. */
  name: string;
  method: 'GET' | 'POST' | 'PATCH';
  /** In the syntax of Fastify's router. */
  template: string;
  status: number;
  /** Goal for the ratio to bare Fastify at 64 connections on Node 20. */
  goal: number;
  requestOf(target: Prepared, participant: number, count: number): { path: string; body?: unknown };
}

/** A service that contains conversations. */
export interface Prepared {
  /** The conversation of each participant. */
  conversationIds: readonly string[];
}

/** Number of distinct requests for each participant. */
const VARIANTS = 16;

/** Routes that read come first, so that they read the prepared data before other routes add to it. */
export const peerRoutes: readonly PeerRoute[] = [
  {
    name: 'conversation',
    method: 'GET',
    template: '/v1/conversations/:id',
    status: 200,
    goal: 0.4,
    requestOf: ({ conversationIds }, participant) => ({
      path: `/v1/conversations/${conversationIds[participant] ?? ''}`,
    }),
  },
  {
    name: 'session',
    method: 'GET',
    template: '/v1/sessions/:participantId',
    status: 200,
    goal: 0.25,
    requestOf: (_target, participant) => ({ path: `/v1/sessions/${participantOf(participant)}` }),
  },
  {
    name: 'last20',
    method: 'GET',
    template: '/v1/conversations/:id/messages',
    status: 200,
    goal: 0.12,
    requestOf: ({ conversationIds }, participant) => ({
      path: `/v1/conversations/${conversationIds[participant] ?? ''}/messages?beforeSeq=${PREPARED_MESSAGES + 1}&limit=${PAGE}`,
    }),
  },
  {
    name: 'patch',
    method: 'PATCH',
    template: '/v1/sessions/:participantId',
    status: 200,
    goal: 0.15,
    requestOf: (_target, participant, count) => ({
      path: `/v1/sessions/${participantOf(participant)}`,
      body: { context: { turn: count, cart: { items: count % 5, currency: 'EUR' } } },
    }),
  },
  {
    name: 'message',
    method: 'POST',
    template: '/v1/messages',
    status: 201,
    goal: 0.1,
    requestOf: (_target, participant, count) => ({
      path: '/v1/messages',
      body: { participantId: participantOf(participant), channel: 'web', content: text(participant, count) },
    }),
  },
  {
    name: 'append',
    method: 'POST',
    template: '/v1/conversations/:id/messages',
    status: 201,
    goal: 0.2,
    requestOf: ({ conversationIds }, participant, count) => ({
      path: `/v1/conversations/${conversationIds[participant] ?? ''}/messages`,
      body: { messages: [{ role: 'user', content: text(participant, count) }] },
    }),
  },
];

/** Builds requests of a route that cycle through the participants of a service. */
export function requestsOf(route: PeerRoute, target: Prepared): PeerRequest[] {
  const participants = target.conversationIds.length;
  return Array.from({ length: participants * VARIANTS }, (_, n) => ({
    method: route.method,
    ...route.requestOf(target, n % participants, Math.floor(n / participants)),
  }));
}
