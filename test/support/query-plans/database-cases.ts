import { hostname } from 'node:os';
import { mongo } from 'mongoose';
import type { ProcessRepository } from '../../../src/database/process.repository.js';
import { at, type Cases, once } from './cases.js';

const self = {
  _id: 'plans',
  host: hostname(),
  pid: process.pid,
  role: 'tool',
  pidSpace: '',
  startedAt: new Date(),
} as const;
const session = new mongo.Binary(Buffer.alloc(16, 7), mongo.Binary.SUBTYPE_UUID);

export const processCases: Cases<ProcessRepository> = {
  beat: once((processes) => processes.beat(self, [])),
  addSession: once((processes) => processes.addSession(self._id, session)),
  removeSessions: once((processes) => processes.removeSessions(self._id, [session])),
  silentSince: once((processes) => processes.silentSince(at)),
  onHost: once((processes) => processes.onHost(self.host)),
  hasOtherServers: once((processes) => processes.hasOtherServers(self._id)),
  killSessions: once((processes) => processes.killSessions([session])),
  remove: once((processes) => processes.remove(self._id, at)),
};
