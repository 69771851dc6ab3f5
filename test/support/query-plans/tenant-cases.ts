import { Types } from 'mongoose';
import type { SessionRepository, StoredState } from '../../../src/session/session.repository.js';
import type { ApiKeyRepository } from '../../../src/tenant/api-key.repository.js';
import type { TenantDataRepository } from '../../../src/tenant/tenant-data.repository.js';
import type { TenantRepository } from '../../../src/tenant/tenant.repository.js';
import { at, type Cases, once, pages, tenantId } from './cases.js';

export const apiKeyCases: Cases<ApiKeyRepository> = {
  insert: once((keys) =>
    keys.insert(tenantId, {
      tenantId,
      keyId: 'key',
      hash: 'hash',
      hint: 'hint',
      createdAt: at,
      revokedAt: null,
      lastUsedAt: null,
    }),
  ),
  findForRequest: once((keys) => keys.findForRequest('key')),
  list: pages((keys, after) => keys.list(tenantId, 10, after)),
  revoke: {
    'of a key': (keys) => keys.revoke(tenantId, 'key', at),
    'of none': (keys) => keys.revoke(tenantId, 'none', at),
  },
  deleteAll: once((keys) => keys.deleteAll(tenantId)),
  touch: once((keys) => keys.touch(tenantId, 'key', at)),
};

export const tenantCases: Cases<TenantRepository> = {
  insert: once((tenants) =>
    tenants.insert({ tenantId, name: 'Acme', plan: 'free', isActive: true, createdAt: at, updatedAt: at }),
  ),
  find: once((tenants) => tenants.find(tenantId)),
  findForRequest: once((tenants) => tenants.findForRequest(tenantId)),
  update: once((tenants) => tenants.update(tenantId, { name: 'A', features: { responder: true } }, at)),
  keepErasedIds: once((tenants) => tenants.keepErasedIds(tenantId, at)),
  list: pages((tenants, after) => tenants.list(10, after)),
  listById: once((tenants) => tenants.listById('', 10)),
  beginDeletion: once((tenants) => tenants.beginDeletion(tenantId, at)),
  beingDeleted: once((tenants) => tenants.beingDeleted()),
  countDeleted: once((tenants) => tenants.countDeleted(tenantId, 1)),
  endDeletion: once((tenants) => tenants.endDeletion(tenantId)),
};

/** Runs last: deletes what the other cases stored. */
export const tenantDataCases: Cases<TenantDataRepository> = {
  models: {},
  usage: once((data) => data.usage(tenantId)),
  deleteSome: once(async (data) => {
    for (const model of data.models()) await data.deleteSome(model, tenantId, 10);
  }),
};

export const state: StoredState = {
  id: new Types.ObjectId().toHexString(),
  tenantId,
  participantId: 'ana',
  version: 1,
  activeGoals: [],
  context: {},
  conversationId: null,
  createdAt: at,
  updatedAt: at,
  expiresAt: new Date('2100-01-01'),
};

export const sessionCases: Cases<SessionRepository> = {
  participantIds: once((sessions) => sessions.participantIds(tenantId, 'a', 10)),
  participants: once((sessions) => sessions.participants(tenantId, 10)),
  find: once((sessions) => sessions.find(tenantId, 'ana')),
  // This method only adds to a unit of work, which the cases of ConversationWriter and SessionStore commit.
  write: {},
  delete: once((sessions) => sessions.delete(tenantId, 'ana', at)),
  deleteExpired: once((sessions) => sessions.deleteExpired(tenantId, 'ana', at)),
};
