import type { EndedSessionRepository } from '../../../src/admin/session/ended-session.repository.js';
import { at, type Cases, once } from './cases.js';

export const endedSessionCases: Cases<EndedSessionRepository> = {
  add: once((ended) => ended.add('session', at)),
  has: once((ended) => ended.has('session')),
};
