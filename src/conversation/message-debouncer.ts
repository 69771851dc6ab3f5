import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import { PROCESSING_SETTINGS, type ProcessingSettings } from '../config/index.js';

interface Wait {
  readonly messageId: string;
  readonly ended: Promise<void>;
  end(): void;
}

/** The last message of a burst. */
export interface WaitingMessage {
  readonly tenantId: string;
  readonly conversationId: string;
  readonly messageId: string;
}

/**
 * Lets requests wait for further messages of their conversation. Which of them is then answered is decided by
 * what is stored; a wait that ends early or late does not change that.
 */
@Injectable()
export class MessageDebouncer implements OnModuleInit {
  private readonly maxWaiting: number;
  /** By tenant and conversation; no entry: none. */
  private readonly waits = new Map<string, Map<string, Wait>>();
  private isClosing = false;

  constructor(
    private readonly host: HttpAdapterHost,
    @Inject(PROCESSING_SETTINGS) { RESPONDER_MAX_CONCURRENT }: ProcessingSettings,
  ) {
    this.maxWaiting = RESPONDER_MAX_CONCURRENT;
  }

  onModuleInit(): void {
    // Commands have no HTTP adapter.
    const { httpAdapter } = this.host as { httpAdapter?: HttpAdapterHost['httpAdapter'] };
    // Before the server waits for open requests.
    httpAdapter?.getInstance<FastifyInstance>().addHook('preClose', (done) => {
      this.close();
      done();
    });
  }

  /**
   * Resolves after `ms` milliseconds, or as soon as another message of the conversation waits, `end` is
   * called, or the process shuts down. Repeated requests for one message wait together. Does not wait if
   * RESPONDER_MAX_CONCURRENT conversations of the tenant are waiting.
   */
  wait({ tenantId, conversationId, messageId }: WaitingMessage, ms: number): Promise<void> {
    const current = this.waits.get(tenantId)?.get(conversationId);
    if (current?.messageId === messageId) return current.ended;
    this.end(tenantId, conversationId);
    const waits = this.waits.get(tenantId) ?? new Map<string, Wait>();
    if (this.isClosing || waits.size >= this.maxWaiting) return Promise.resolve();
    this.waits.set(tenantId, waits);
    let resolve!: () => void;
    const ended = new Promise<void>((settle) => (resolve = settle));
    const end = (): void => {
      clearTimeout(timer);
      waits.delete(conversationId);
      if (waits.size === 0) this.waits.delete(tenantId);
      resolve();
    };
    const timer = setTimeout(end, ms);
    waits.set(conversationId, { messageId, ended, end });
    return ended;
  }

  /** Ends the wait of a message that another one follows. */
  end(tenantId: string, conversationId: string): void {
    this.waits.get(tenantId)?.get(conversationId)?.end();
  }

  /** Ends every wait, and waits no more: messages are answered at once. */
  close(): void {
    this.isClosing = true;
    for (const waits of [...this.waits.values()]) for (const wait of [...waits.values()]) wait.end();
  }
}
