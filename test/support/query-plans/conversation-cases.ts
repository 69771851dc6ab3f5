import type { Types } from 'mongoose';
import type { ClosingRepository } from '../../../src/conversation/closing/closing.repository.js';
import type { UnitWriter } from '../../../src/database/index.js';
import type { ConversationRepository } from '../../../src/conversation/conversation.repository.js';
import type { ConversationRecord } from '../../../src/conversation/conversation.schema.js';
import type { MessageFilter, MessageRepository } from '../../../src/conversation/message.repository.js';
import type { ResponderSettingsRepository } from '../../../src/responder/responder-settings.repository.js';
import { at, type Cases, choices, id, ids, lists, type MethodCases, once, pages, tenantId } from './cases.js';

const hex = id.toHexString();

const tenants = [tenantId, 'other'];

/** Reads that are combined into one query. */
const both = <T>(values: readonly T[], read: (value: T) => Promise<unknown>): Promise<unknown> =>
  Promise.all(values.map(read));

const conversationFilters = { participantId: 'ana', channel: 'web', isActive: true };

export const conversationCases: Cases<ConversationRepository> = {
  find: {
    ...once((conversations) => conversations.find(tenantId, hex)),
    'two of a tenant': (conversations) => both(ids, (one) => conversations.find(tenantId, one.toHexString())),
    'of two tenants': (conversations) => both(tenants, (tenant) => conversations.find(tenant, hex)),
  },
  findEvenErased: once((conversations) => conversations.findEvenErased(tenantId, hex)),
  latestActive: once((conversations) => conversations.latestActive(tenantId, 'ana', 'web')),
  list: lists(conversationFilters, (conversations, filter, after) =>
    conversations.list(tenantId, filter, 10, after),
  ),
  listByUpdate: lists(conversationFilters, (conversations, filter, after) =>
    conversations.listByUpdate(tenantId, filter, 10, after),
  ),
  participantIds: once((conversations) => conversations.participantIds(tenantId, '', 10)),
  activityOf: once((conversations) => conversations.activityOf(tenantId, ['ana', 'bob'])),
  ofParticipant: {
    ...once((conversations) => conversations.ofParticipant(tenantId, 'ana', 10)),
    'next page': (conversations) => conversations.ofParticipant(tenantId, 'ana', 10, id),
  },
  erasing: once((conversations) => conversations.erasing(tenantId)),
  unfinishedErasures: once((conversations) => conversations.unfinishedErasures(at, 10)),
  abandonRestore: once((conversations) =>
    conversations.abandonRestore({ tenantId, _id: id, erasedAt: at } as ConversationRecord),
  ),
  deleteErased: once((conversations) => conversations.deleteErased(tenantId, id)),
};

export const closingCases: Cases<ClosingRepository> = {
  // This method only adds to a unit of work.
  write: once((closings) =>
    Promise.resolve(
      closings.write({ insert: () => undefined } as unknown as UnitWriter, {
        _id: id,
        tenantId,
        conversationId: id,
        transcriptId: id,
      }),
    ),
  ),
  find: once((closings) => closings.find(tenantId, hex)),
  removeContent: once((closings) => closings.removeContent(tenantId, hex)),
  ofConversation: once((closings) => closings.ofConversation(tenantId, id)),
  contentsOf: once((closings) => closings.contentsOf(tenantId, id)),
  deleteOf: once((closings) => closings.deleteOf(tenantId, id)),
};

const inRanges = (method: 'first' | 'last', lastSeq?: number): MethodCases<MessageRepository> =>
  Object.fromEntries(
    choices({ after: 1, before: 9 }).map(([name, range]) => [
      `${name} ${lastSeq ?? ''}`,
      (messages: MessageRepository) => messages[method](tenantId, hex, range, 10, lastSeq),
    ]),
  );

const filters: Required<MessageFilter> & { hidden: readonly Types.ObjectId[] } = {
  role: 'user',
  since: new Date('2026-01-01'),
  until: new Date('2026-02-01'),
  hidden: ids,
};

export const messageCases: Cases<MessageRepository> = {
  find: once((messages) => messages.find(tenantId, id)),
  findByExternalKeys: once((messages) => messages.findByExternalKeys(tenantId, ['e1', 'e2'])),
  findByExternalKey: {
    ...once((messages) => messages.findByExternalKey(tenantId, 'e1')),
    'of two tenants': (messages) => both(tenants, (tenant) => messages.findByExternalKey(tenant, 'e1')),
  },
  listByExternalKey: once((messages) =>
    messages.listByExternalKey(tenantId, { $gte: 'e1', $lt: 'e2' }, {}, [], 10),
  ),
  first: {
    ...inRanges('first'),
    'two of a tenant': (messages) => both(ids, (one) => messages.first(tenantId, one.toHexString(), {}, 10)),
    'of two tenants': (messages) => both(tenants, (tenant) => messages.first(tenant, hex, {}, 10)),
  },
  last: { ...inRanges('last'), ...inRanges('last', 20) },
  list: {
    ...lists(filters, (messages, { hidden = [], ...filter }, after) =>
      messages.list(tenantId, filter, hidden, 10, after),
    ),
    ...Object.fromEntries(
      Object.entries(
        pages<MessageRepository>((messages, after) =>
          messages.list(tenantId, { role: 'tool' }, [], 10, after),
        ),
      ).map(([page, call]) => [`rare role ${page}`, call]),
    ),
  },
  externalKeysAfter: once((messages) => messages.externalKeysAfter(tenantId, id, 1, 10)),
  countOf: once((messages) => messages.countOf(tenantId, id)),
  // Searches for the beginning and finds what the cases of ConversationWriter stored.
  deleteFirst: once((messages) => messages.deleteFirst(tenantId, id, 10)),
};

export const responderSettingsCases: Cases<ResponderSettingsRepository> = {
  put: once((settings) => settings.put(tenantId, { type: 'echo', config: {}, updatedAt: at })),
  find: once((settings) => settings.find(tenantId)),
  notSealedBy: once((settings) => settings.notSealedBy(['http'], 'key', 10)),
  otherKeyId: once((settings) => settings.otherKeyId(['http'], ['key'])),
  reseal: once((settings) =>
    settings.reseal({ _id: id, tenantId, type: 'echo', config: {}, updatedAt: at }, {}, 'key'),
  ),
  delete: once((settings) => settings.delete(tenantId)),
};
