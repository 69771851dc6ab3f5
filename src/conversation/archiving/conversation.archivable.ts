import { Injectable } from '@nestjs/common';
import { Types } from 'mongoose';
import {
  type Archivable,
  ArchivableRegistry,
  decodeExactly,
  type DueRoot,
  type ExactDocument,
  type ExactRow,
  RawDocuments,
  type RawRow,
  type RowsToRestore,
  sameBytes,
  TransactionRunner,
} from '../../database/index.js';
import { CLOSING_COLLECTION } from '../closing/closing.schema.js';
import { ConversationEraser } from '../conversation-eraser.js';
import { ConversationHeads } from '../conversation-heads.js';
import { ConversationLocator } from '../conversation-locator.js';
import { CONVERSATION_COLLECTION } from '../conversation.schema.js';
import { MESSAGE_COLLECTION } from '../message.schema.js';
import {
  ConversationArchiveRepository,
  type ConversationVersion,
  type RestoringConversation,
} from './conversation-archive.repository.js';

/** Maximum number of messages of several conversations that one statement deletes. */
const DELETED_AT_ONCE = 200;

const READ_AT_ONCE = 100;

/**
 * Moves idle conversations with their messages and closings to an archive. A conversation whose transcript is
 * still being made stays, because its messages are needed for it. A session may keep the id of an archived
 * conversation; the next message of the participant begins a new one.
 */
@Injectable()
export class ConversationArchivable implements Archivable {
  readonly name = 'conversations' as const;
  readonly rootCollection = CONVERSATION_COLLECTION;
  readonly versionFields = ['updatedAt'];
  readonly unique = [{ collection: MESSAGE_COLLECTION, field: 'externalKey', erasedAs: 'message' as const }];
  readonly namesFew = true;

  constructor(
    private readonly conversations: ConversationArchiveRepository,
    private readonly eraser: ConversationEraser,
    private readonly heads: ConversationHeads,
    private readonly locator: ConversationLocator,
    private readonly raw: RawDocuments,
    private readonly transactions: TransactionRunner,
    registry: ArchivableRegistry,
  ) {
    registry.contribute(this);
  }

  async due(tenantId: string, before: Date, after: DueRoot | undefined, limit: number): Promise<DueRoot[]> {
    for (let position = after; ;) {
      const found = await this.conversations.idle(tenantId, before, position, limit);
      const waiting = await this.conversations.awaitingTranscript(
        tenantId,
        found.map(({ id }) => id),
      );
      const due = found.filter(({ id }) => !waiting.has(id.toHexString()));
      // An empty result would mean that there is nothing more.
      if (due.length > 0 || found.length < limit) return due;
      position = found.at(-1);
    }
  }

  count(tenantId: string): Promise<number> {
    return this.conversations.count(tenantId);
  }

  async *rows(tenantId: string, ids: readonly Types.ObjectId[]): AsyncGenerator<RawRow> {
    const sort = { _id: 1 } as const;
    const present = { tenantId, _id: { $in: [...ids] }, erasedAt: { $exists: false } };
    const roots: RawRow[] = [];
    for await (const bytes of this.raw.find(CONVERSATION_COLLECTION, { filter: present, sort }))
      roots.push({ collection: CONVERSATION_COLLECTION, root: idOf(bytes, '_id'), bytes });
    const filter = { tenantId, conversationId: { $in: roots.map(({ root }) => root) } };
    const closings = new Map<string, RawRow[]>();
    for await (const bytes of this.raw.find(CLOSING_COLLECTION, { filter })) {
      const root = idOf(bytes, 'conversationId');
      const ofRoot = closings.get(root.toHexString()) ?? [];
      closings.set(root.toHexString(), [...ofRoot, { collection: CLOSING_COLLECTION, root, bytes }]);
    }
    let at = 0;
    const endOf = function* (root: RawRow): Generator<RawRow> {
      yield* closings.get(root.root.toHexString()) ?? [];
      yield root;
    };
    for await (const bytes of this.raw.find(MESSAGE_COLLECTION, {
      filter,
      sort: { conversationId: 1, seq: 1 },
    })) {
      const owner = idOf(bytes, 'conversationId');
      for (let root = roots[at]; root && !root.root.equals(owner); root = roots[++at]) yield* endOf(root);
      yield { collection: MESSAGE_COLLECTION, root: owner, bytes };
    }
    for (const root of roots.slice(at)) yield* endOf(root);
  }

  participantsOf({ participantId }: ExactDocument): Iterable<string> {
    return [participantId as string];
  }

  async release(
    tenantId: string,
    archiveId: Types.ObjectId,
    versions: readonly ExactDocument[],
  ): Promise<Types.ObjectId[]> {
    const hidden = await this.conversations.hide(
      tenantId,
      versions as ConversationVersion[],
      archiveId,
      new Date(),
    );
    await this.transactions.afterCommit(async () => {
      for (const id of hidden) {
        this.locator.forget(tenantId, id.toHexString());
        await this.heads.changed(tenantId, id.toHexString());
      }
    });
    return hidden;
  }

  async purge(tenantId: string, archiveId: Types.ObjectId): Promise<void> {
    for (;;) {
      const hidden = await this.conversations.hidden(tenantId, archiveId, READ_AT_ONCE);
      if (hidden.length === 0) return;
      let ids: Types.ObjectId[] = [];
      let messages = 0;
      for (const { _id, messageCount, isRestoring } of hidden) {
        if (isRestoring || messageCount > DELETED_AT_ONCE) {
          // The next run or the sweep of the eraser continues.
          if (!(await this.eraser.finish(tenantId, _id))) return;
          continue;
        }
        if (messages + messageCount > DELETED_AT_ONCE) {
          await this.conversations.delete(tenantId, ids, archiveId);
          ids = [];
          messages = 0;
        }
        ids.push(_id);
        messages += messageCount;
      }
      if (ids.length > 0) await this.conversations.delete(tenantId, ids, archiveId);
    }
  }

  async restore(tenantId: string, { archiveId, rows, begun, confirm }: RowsToRestore): Promise<void> {
    const roots = rowsIn(rows, CONVERSATION_COLLECTION).map(({ root }) => root);
    const whole = new Set(roots);
    const parts = new Map<string, number>();
    for (const { root, collection } of rows)
      if (!whole.has(root))
        parts.set(root, (parts.get(root) ?? 0) + (collection === MESSAGE_COLLECTION ? 1 : 0));
    const restoring = (id: string): RestoringConversation => ({
      tenantId,
      _id: new Types.ObjectId(id),
      archiveId,
    });
    await this.transactions.run(async () => {
      await confirm();
      for (const [id, messageCount] of parts)
        await this.conversations.hideRestored(restoring(id), messageCount, !begun.includes(id));
      for (const id of begun) if (whole.has(id)) await this.conversations.endRestore(restoring(id));
      for (const name of [MESSAGE_COLLECTION, CLOSING_COLLECTION, CONVERSATION_COLLECTION])
        await this.raw.insert(
          name,
          rowsIn(rows, name).map(({ document }) => document),
        );
    });
    // A reader may have stored that there is no such conversation.
    for (const id of roots) await this.heads.changed(tenantId, id);
  }

  isSame(stored: ExactDocument, archived: ExactDocument): boolean {
    return sameBytes(stored, archived);
  }
}

const rowsIn = (rows: readonly ExactRow[], name: string): ExactRow[] =>
  rows.filter(({ collection }) => collection === name);

const idOf = (bytes: Uint8Array, field: string): Types.ObjectId =>
  decodeExactly(bytes)[field] as Types.ObjectId;
