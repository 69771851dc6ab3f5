import { Body, Controller, Inject, Post } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { Binary, ObjectId } from 'mongodb';
import type { Connection } from 'mongoose';
import { EMBEDDER, type Embedder } from '../../src/search/index.js';
import { CurrentTenant, type TenantIdentity } from '../../src/tenant/index.js';
import { createTranscriptBody, type CreateTranscriptBody } from '../../src/transcript/index.js';

/** Stores a transcript with the naive approach: the request waits for the embedder and for its own insert. */
@Controller('naive/transcripts')
export class NaiveController {
  constructor(
    @Inject(EMBEDDER) private readonly embedder: Embedder,
    @InjectConnection() private readonly connection: Connection,
  ) {}

  @Post()
  async create(
    @CurrentTenant() { tenantId }: TenantIdentity,
    @Body({ schema: createTranscriptBody }) body: CreateTranscriptBody,
  ): Promise<{ id: string }> {
    const [vector = new Float32Array()] = await this.embedder.embed([body.transcript]);
    const _id = new ObjectId();
    const now = new Date();
    await this.connection.collection('transcripts').insertOne({
      _id,
      tenantId,
      ...body,
      status: 'stored',
      model: this.embedder.model,
      vector: new Binary(Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength)),
      changeSeq: 0,
      createdAt: now,
      storedAt: now,
    });
    return { id: _id.toHexString() };
  }
}
