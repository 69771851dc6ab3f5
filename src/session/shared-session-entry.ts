import type { ScriptArgument } from '../redis/index.js';
import { deepFreeze } from '../common/index.js';
import { parseJson } from './json.js';
import type { StoredState } from './session.repository.js';
import { type StateContent, takeText } from './state-text.js';

/** The arguments of `putScript` that describe the state. */
export const entryOf = (state: StoredState): ScriptArgument[] => [
  state.id,
  state.createdAt.getTime(),
  state.version,
  state.expiresAt.getTime(),
  state.updatedAt.getTime(),
  state.conversationId ?? '',
  takeText(state),
];

const objectId = /^[\da-f]{24}$/;

function isContent(value: unknown): value is StateContent {
  if (typeof value !== 'object' || value === null) return false;
  const { activeGoals, context } = value as Partial<Record<keyof StateContent, unknown>>;
  return Array.isArray(activeGoals) && typeof context === 'object' && context !== null;
}

/**
 * Parses the fields of an entry, in the order of `readScript`. Returns undefined if they are not a valid
 * state.
 */
export function stateOf(tenantId: string, participantId: string, reply: unknown): StoredState | undefined {
  if (!Array.isArray(reply)) return undefined;
  const [id = '', created, version, expires, updated, conversationId = '', text = ''] = reply.map(String);
  const numbers = [created, version, expires, updated].map(Number);
  const [createdAt = NaN, versionNumber = NaN, expiresAt = NaN, updatedAt = NaN] = numbers;
  const isValid =
    objectId.test(id) &&
    (conversationId === '' || objectId.test(conversationId)) &&
    numbers.every(Number.isSafeInteger);
  if (!isValid) return undefined;
  const content = parseJson(text);
  if (!isContent(content)) return undefined;
  return Object.freeze({
    id,
    tenantId,
    participantId,
    version: versionNumber,
    activeGoals: deepFreeze(content.activeGoals),
    context: deepFreeze(content.context),
    conversationId: conversationId === '' ? null : conversationId,
    createdAt: new Date(createdAt),
    updatedAt: new Date(updatedAt),
    expiresAt: new Date(expiresAt),
  });
}
