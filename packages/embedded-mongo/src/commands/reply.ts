import type { Timestamp } from 'bson';
import type { BsonWriter, ReplyDoc } from './bson-writer.js';

/** A batch of stored documents, which are copied into the reply without decoding. */
export class CursorReply {
  /** The time of the snapshot from which it was read. */
  atClusterTime: Timestamp | undefined;

  constructor(
    readonly ns: string,
    readonly id: bigint,
    readonly field: 'firstBatch' | 'nextBatch',
    readonly docs: Uint8Array[],
    /** Additional fields beside `cursor`. */
    readonly more: ReplyDoc = {},
    /** Additional fields of `cursor`. */
    readonly cursorFields: ReplyDoc = {},
  ) {}

  /** Estimated size of the reply, bytes. */
  get size(): number {
    let size = 200;
    for (const doc of this.docs) size += doc.length + 8;
    return size;
  }

  write(writer: BsonWriter): void {
    writer.beginDocument('cursor');
    writer.beginArray(this.field);
    for (let i = 0; i < this.docs.length; i++) writer.raw(String(i), this.docs[i]!);
    writer.end();
    writer.fields(this.cursorFields);
    writer.int64('id', this.id);
    writer.string('ns', this.ns);
    if (this.atClusterTime) writer.timestamp('atClusterTime', this.atClusterTime.t, this.atClusterTime.i);
    writer.end();
    writer.fields(this.more);
  }
}

/** The result of a command, to which `ok` and the operation time are added. */
export type Reply = ReplyDoc | CursorReply;
