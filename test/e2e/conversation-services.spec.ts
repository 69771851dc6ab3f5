import { Injectable, Module } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import {
  ConversationModule,
  ConversationService,
  MessageProcessor,
  MessageService,
} from '../../src/conversation/index.js';
import { allFeatures } from '../../src/tenant/index.js';
import { createTestApp, type TestApp } from '../support/app.js';

/** A custom feature that uses the conversation services. */
@Injectable()
class FollowUps {
  constructor(
    readonly conversations: ConversationService,
    readonly messages: MessageService,
    readonly processor: MessageProcessor,
  ) {}
}

@Module({ imports: [ConversationModule], providers: [FollowUps] })
class FollowUpModule {}

describe('a feature module that imports ConversationModule', () => {
  let app: TestApp;
  let followUps: FollowUps;

  beforeAll(async () => {
    app = await createTestApp();
    const module = await app.app.get(LazyModuleLoader).load(() => FollowUpModule);
    followUps = module.get(FollowUps);
  });
  afterAll(() => app.close());

  it('processes a message, reads its conversation, appends to it and lists its messages, for one tenant only', async () => {
    const { tenantId } = await app.createTenant();
    const tenant = { tenantId, name: tenantId, plan: 'free' as const, features: allFeatures };
    const inbound = { participantId: 'ana', channel: 'web', content: 'hello', attachments: [] };
    const { conversation, message, reply } = await followUps.processor.process(tenant, inbound);
    expect(message.content).toBe('hello');
    expect(reply).not.toBeNull();

    const id = conversation._id.toHexString();
    expect(await followUps.conversations.get(tenantId, id)).toMatchObject({
      participantId: 'ana',
      isActive: true,
    });
    const appended = await followUps.messages.append(tenantId, id, [
      { role: 'assistant', content: 'Are you still there?', attachments: [], metadata: {} },
    ]);
    expect(appended.written).toBe(true);
    const { data } = await followUps.messages.listOfConversation(tenantId, id, { limit: 10 });
    expect(data.map(({ seq, role, content }) => ({ seq, role, content }))).toEqual([
      { seq: 1, role: 'user', content: 'hello' },
      { seq: 2, role: 'assistant', content: reply?.content },
      { seq: 3, role: 'assistant', content: 'Are you still there?' },
    ]);

    const other = await app.createTenant();
    await expect(followUps.conversations.get(other.tenantId, id)).rejects.toMatchObject({
      problem: { code: 'conversation_not_found' },
    });
  });
});
