import { createBullBoard } from '@bull-board/api';
import type { BeforeHook, ControllerHandlerReturnType } from '@bull-board/api/dist/types.js';
import { FastifyAdapter } from '@bull-board/fastify';
import { Inject, Injectable } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { ProblemError } from '../../http/index.js';
import { LOGGER, type Logger } from '../../logging/index.js';
import { QueueService } from '../../queue/index.js';
import { RedisService } from '../../redis/index.js';
import { DASHBOARD, LOGOUT, QUEUES } from '../session/admin-paths.js';
import { adaptPage } from './board-page.js';
import { QueueAdapter } from './queue-adapter.js';

/** The changes that the board may make; all others are rejected. */
const offered = new Set([
  '/api/queues/:queueName/:jobId/retry',
  '/api/queues/:queueName/retry/:queueStatus',
  '/api/queues/:queueName/:jobId/clean',
  '/api/queues/:queueName/clean/:queueStatus',
  '/api/queues/:queueName/:jobId/promote',
  '/api/queues/:queueName/promote',
]);

const cleaned = new Set(['completed', 'failed']);

const refuse: BeforeHook = ({ method, route, request }) => {
  if (method === 'get') return { allow: true };
  const { queueStatus } = request.params as { queueStatus?: string };
  const isOffered = offered.has(route) && (!route.includes('/clean/') || cleaned.has(queueStatus ?? ''));
  if (isOffered) return { allow: true };
  return {
    allow: false,
    status: 403,
    message: 'Only the application creates jobs. Here they can be retried, promoted and removed.',
  };
};

/**
 * Runs Bull Board on Fastify. As elsewhere in the service, expected errors are returned with their details,
 * others are only logged.
 */
class BoardServer extends FastifyAdapter {
  constructor(private readonly logger: Logger) {
    super();
  }

  override setErrorHandler(standard: (error: Error) => ControllerHandlerReturnType): this {
    return super.setErrorHandler((error) => {
      if (error instanceof ProblemError) {
        const { status, title, detail } = error.problem;
        return { ...standard(new Error(detail ?? title)), status: status as 404 | 409 };
      }
      this.logger.error({ err: error }, 'the queue dashboard failed');
      return standard(new Error('An internal error occurred; see the log for details.'));
    });
  }
}

const fonts = {
  'font-sans': 'system-ui, sans-serif',
  'font-mono': 'ui-monospace, monospace',
};

/**
 * The queue dashboard at /admin/queues: Bull Board on the jobs in the database, identical for both drivers.
 */
@Injectable()
export class QueueBoard {
  private setQueues: ((queues: QueueAdapter[]) => void) | undefined;

  constructor(
    private readonly queues: QueueService,
    private readonly redis: RedisService,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async mount(app: NestFastifyApplication): Promise<void> {
    const server = new BoardServer(this.logger).setBasePath(QUEUES);
    const board = createBullBoard({
      queues: [],
      serverAdapter: server,
      options: {
        handlerHooks: { before: refuse },
        uiConfig: {
          boardTitle: 'Colloquy',
          miscLinks: [
            { text: 'Dashboard', url: DASHBOARD },
            { text: 'Sign out', url: LOGOUT },
          ],
          hideDocsLink: true,
          hideRedisDetails: !this.redis.enabled,
          showMetrics: false,
          showWorkers: false,
          sortQueues: true,
          locale: { lng: 'en-US' },
          theme: { light: fonts, dark: fonts },
        },
      },
    });
    this.setQueues = (queues) => {
      board.setQueues(queues);
    };
    await app.register(
      async (scope: FastifyInstance) => {
        scope.addHook('onSend', async (_request, reply, payload) =>
          typeof payload === 'string' && String(reply.getHeader('content-type')).startsWith('text/html')
            ? adaptPage(payload)
            : payload,
        );
        await scope.register(server.registerPlugin());
      },
      { prefix: QUEUES },
    );
  }

  /** Must be called after all queues are declared. */
  showQueues(): void {
    const redisInfo = (): Promise<string | null> =>
      this.redis.available ? this.redis.call((client) => client.info()) : Promise.resolve(null);
    this.setQueues?.(this.queues.names().map((name) => new QueueAdapter(name, this.queues, redisInfo)));
  }
}
