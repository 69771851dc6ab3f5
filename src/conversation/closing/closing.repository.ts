import { Injectable } from '@nestjs/common';
import { InjectModel } from '@nestjs/mongoose';
import { type Model, Types } from 'mongoose';
import type { UnitWriter } from '../../database/index.js';
import { CLOSING_COLLECTION, CLOSING_MODEL, type ClosingDocument } from './closing.schema.js';

export type ClosingIds = Pick<ClosingDocument, '_id' | 'transcriptId'>;

@Injectable()
export class ClosingRepository {
  constructor(@InjectModel(CLOSING_MODEL) private readonly closings: Model<ClosingDocument>) {}

  /** Adds the insert to a unit of work. */
  write(writer: UnitWriter, closing: ClosingDocument): void {
    writer.insert(CLOSING_COLLECTION, closing);
  }

  find(tenantId: string, jobId: string): Promise<ClosingDocument | null> {
    return this.closings
      .findOne({ tenantId, _id: new Types.ObjectId(jobId) })
      .lean<ClosingDocument>()
      .exec();
  }

  /** Removes what the transcript now contains. */
  async removeContent(tenantId: string, jobId: string): Promise<void> {
    await this.closings
      .updateOne({ tenantId, _id: new Types.ObjectId(jobId) }, { $unset: { content: 1 } })
      .exec();
  }

  ofConversation(tenantId: string, conversationId: Types.ObjectId): Promise<ClosingIds[]> {
    return this.closings.find({ tenantId, conversationId }, { transcriptId: 1 }).lean<ClosingIds[]>().exec();
  }

  /** Closings whose transcript does not contain their content yet. */
  contentsOf(tenantId: string, conversationId: Types.ObjectId): Promise<ClosingDocument[]> {
    return this.closings
      .find({ tenantId, conversationId, content: { $exists: true } })
      .lean<ClosingDocument[]>()
      .exec();
  }

  async deleteOf(tenantId: string, conversationId: Types.ObjectId): Promise<void> {
    await this.closings.deleteMany({ tenantId, conversationId }).exec();
  }
}
