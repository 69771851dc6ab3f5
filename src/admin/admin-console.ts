import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { AdminGate } from './admin-gate.js';
import { QueueBoard } from './board/queue-board.js';
import { addFormParser } from './form-parser.js';

/** Puts the admin pages on an application that serves HTTP. */
@Injectable()
export class AdminConsole implements OnApplicationBootstrap {
  constructor(
    private readonly gate: AdminGate,
    private readonly board: QueueBoard,
  ) {}

  /** To be called before the application is initialised. */
  async mount(app: NestFastifyApplication): Promise<void> {
    const fastify: FastifyInstance = app.getHttpAdapter().getInstance();
    fastify.addHook('onRequest', (request, reply, done) => {
      this.gate.check(request, reply, done);
    });
    addFormParser(fastify);
    await this.board.mount(app);
  }

  onApplicationBootstrap(): void {
    this.board.showQueues();
  }
}
