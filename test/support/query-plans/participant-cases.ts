import type { ErasedIdRepository } from '../../../src/archive/participant/erased-id.repository.js';
import type { ErasureKeyRepository } from '../../../src/archive/participant/erasure-key.repository.js';
import type { ParticipantErasureRepository } from '../../../src/archive/participant/participant-erasure.repository.js';
import { at, type Cases, once, tenantId } from './cases.js';

export const erasureKeyCases: Cases<ErasureKeyRepository> = {
  find: once((keys) => keys.find()),
  insert: once((keys) => keys.insert('key', at)),
  reseal: once((keys) => keys.reseal('key')),
};

export const erasedIdCases: Cases<ErasedIdRepository> = {
  put: once((ids) => ids.put(tenantId, ['hash'], at)),
  hasAny: once((ids) => ids.hasAny(tenantId, ['hash', 'other'], at)),
};

export const participantErasureCases: Cases<ParticipantErasureRepository> = {
  begin: once((erasures) =>
    erasures.begin({ tenantId, participantHash: 'hash', participantId: 'ana', erasedAt: at }),
  ),
  of: once((erasures) => erasures.of(tenantId, ['hash', 'other'])),
  pending: once((erasures) => erasures.pending(10)),
  end: once((erasures) => erasures.end(tenantId, 'hash', at, {})),
};
