import { Types } from 'mongoose';
import type { ArchiveRepository } from '../../../src/archive/archive.repository.js';
import type { ArchiveRunRepository } from '../../../src/archive/archive-run.repository.js';
import type { ArchiveContents, ArchiveRecord } from '../../../src/archive/archive.schema.js';
import type { ScheduleRepository } from '../../../src/archive/schedule.repository.js';
import type {
  ConversationArchiveRepository,
  RestoringConversation,
} from '../../../src/conversation/archiving/conversation-archive.repository.js';
import type { TranscriptArchiveRepository } from '../../../src/transcript/transcript-archive.repository.js';
import { at, type Cases, id, ids, lists, once, pages, tenantId } from './cases.js';

const after = { id, at };
const later = new Date(at.getTime() + 60_000);

const restoring = (): RestoringConversation => ({ tenantId, _id: new Types.ObjectId(), archiveId: id });

export const conversationArchiveCases: Cases<ConversationArchiveRepository> = {
  idle: {
    'first page': (conversations) => conversations.idle(tenantId, later, undefined, 10),
    'next page': (conversations) => conversations.idle(tenantId, later, after, 10),
  },
  count: once((conversations) => conversations.count(tenantId)),
  awaitingTranscript: once((conversations) => conversations.awaitingTranscript(tenantId, ids)),
  hide: once((conversations) =>
    conversations.hide(tenantId, [{ _id: new Types.ObjectId(), updatedAt: at }], id, at),
  ),
  hidden: once((conversations) => conversations.hidden(tenantId, id, 10)),
  delete: once((conversations) => conversations.delete(tenantId, [new Types.ObjectId()], id)),
  hideRestored: {
    'the first messages': (conversations) => conversations.hideRestored(restoring(), 1, true),
    'further messages': async (conversations) => {
      const conversation = restoring();
      await conversations.hideRestored(conversation, 1, true);
      await conversations.hideRestored(conversation, 1, false);
    },
  },
  endRestore: once(async (conversations) => {
    const conversation = restoring();
    await conversations.hideRestored(conversation, 1, true);
    await conversations.endRestore(conversation);
  }),
};

export const transcriptArchiveCases: Cases<TranscriptArchiveRepository> = {
  finished: {
    'first page': (transcripts) => transcripts.finished(tenantId, later, undefined, 10),
    'next page': (transcripts) => transcripts.finished(tenantId, later, after, 10),
  },
  count: once((transcripts) => transcripts.count(tenantId)),
  deleteUnchanged: once((transcripts) =>
    transcripts.deleteUnchanged(
      tenantId,
      { _id: new Types.ObjectId(), status: 'stored', changeSeq: 1 },
      { changeSeq: 2, at },
    ),
  ),
  forgetDeletion: once((transcripts) => transcripts.forgetDeletion(tenantId, [new Types.ObjectId()])),
};

const contents: ArchiveContents = {
  folder: 'folder',
  from: at,
  to: at,
  count: 1,
  rows: {},
  bytes: 1,
  storedBytes: 1,
  sha256: '',
  checksum: '',
};

/** Each case that changes an archive begins with one of its own. */
const begun =
  (work: (archives: ArchiveRepository, archive: ArchiveRecord) => Promise<unknown>) =>
  async (archives: ArchiveRepository): Promise<unknown> => {
    const archive = await archives.begin(tenantId, 'jobs');
    await archives.written(archive, contents, []);
    return work(archives, archive);
  };

export const archiveCases: Cases<ArchiveRepository> = {
  begin: once((archives) => archives.begin(tenantId, 'jobs')),
  written: once(begun(() => Promise.resolve())),
  released: once(begun((archives, archive) => archives.released(archive, 0, 1, [id]))),
  replaced: once(begun((archives, archive) => archives.replaced(archive, contents.folder, contents))),
  abandoned: once(begun((archives, archive) => archives.abandoned(archive))),
  stored: once(begun((archives, archive) => archives.stored(archive))),
  confirmRestore: once(begun((archives, archive) => archives.confirmRestore({ ...archive, contents }))),
  restored: once(begun((archives, archive) => archives.restored(archive, at))),
  delete: once(begun((archives, archive) => archives.delete(archive))),
  find: once((archives) => archives.find(id.toHexString())),
  unfinished: {
    'of all tenants': (archives) => archives.unfinished(undefined),
    'of one tenant': (archives) => archives.unfinished(tenantId),
  },
  list: lists({ tenantId, kind: 'jobs' }, (archives, filter, cursor) => archives.list(filter, 10, cursor)),
  ofParticipant: once((archives) => archives.ofParticipant(tenantId, 'hash')),
  removeParticipant: once(begun((archives, archive) => archives.removeParticipant(archive, 'hash'))),
  idsOf: once((archives) => archives.idsOf(tenantId)),
  held: once((archives) => archives.held(tenantId, 'jobs', ids, at)),
  hold: once((archives) => archives.hold(tenantId, 'jobs', ids, at)),
};

export const archiveRunCases: Cases<ArchiveRunRepository> = {
  begin: once((runs) => runs.begin({ dryRun: false }, at)),
  end: {
    'of a dry run': async (runs) => runs.end(await runs.begin({ dryRun: true }, at)),
    'of everything': async (runs) =>
      runs.end({ ...(await runs.begin({ dryRun: false }, at)), state: 'completed' }),
    'of one tenant': async (runs) =>
      runs.end({ ...(await runs.begin({ tenantId, dryRun: false }, at)), state: 'completed' }),
  },
  forgetTenant: once((runs) => runs.forgetTenant(tenantId)),
  list: pages((runs, cursor) => runs.list(10, cursor)),
  latestCompleted: once((runs) => runs.latestCompleted()),
  hasUnresolvedFailure: once((runs) => runs.hasUnresolvedFailure()),
};

export const scheduleCases: Cases<ScheduleRepository> = {
  create: once((schedules) => schedules.create('plans', at)),
  find: once((schedules) => schedules.find('plans')),
  advance: once((schedules) => schedules.advance('plans', at, later)),
  take: once((schedules) => schedules.take('plans', 'holder', 1000)),
  release: once((schedules) => schedules.release('plans', 'holder')),
};
