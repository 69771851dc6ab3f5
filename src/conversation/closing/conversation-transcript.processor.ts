import { Injectable } from '@nestjs/common';
import { type Job, type JobProcessor, ProcessorOf } from '../../queue/index.js';
import { type ClosedConversation, conversationTranscripts } from './conversation-transcript.queue.js';
import { ConversationTranscriber, type Transcribed } from './conversation-transcriber.js';

@Injectable()
@ProcessorOf(conversationTranscripts)
export class ConversationTranscriptProcessor implements JobProcessor<ClosedConversation> {
  constructor(private readonly transcriber: ConversationTranscriber) {}

  process(job: Job<ClosedConversation>): Promise<Transcribed> {
    return this.transcriber.transcribe(job);
  }
}
