import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { AdminGate } from './admin-gate.js';
import { QueueBoard } from './board/queue-board.js';
import { DashboardFeed } from './dashboard/dashboard-feed.js';
import { DashboardSampler } from './dashboard/dashboard-sampler.js';
import { addFormParser } from './form-parser.js';

/** Adds the admin pages to an application that serves HTTP. */
@Injectable()
export class AdminConsole implements OnApplicationBootstrap, OnModuleDestroy {
  private isServing = false;

  constructor(
    /** Must check every request under /admin before its route runs. */
    readonly gate: AdminGate,
    private readonly board: QueueBoard,
    private readonly sampler: DashboardSampler,
    private readonly feed: DashboardFeed,
  ) {}

  /** Must be called before the application is initialized. */
  async mount(app: NestFastifyApplication): Promise<void> {
    const fastify: FastifyInstance = app.getHttpAdapter().getInstance();
    addFormParser(fastify);
    await this.board.mount(app);
    // Before the server waits for open responses: event streams would never end on their own.
    fastify.addHook('preClose', (done) => {
      this.endDashboard();
      done();
    });
    this.isServing = true;
  }

  onApplicationBootstrap(): void {
    this.board.showQueues();
    if (this.isServing) this.sampler.start();
  }

  onModuleDestroy(): void {
    this.endDashboard();
  }

  private endDashboard(): void {
    this.sampler.stop();
    this.feed.close();
  }
}
