import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AdminConsole } from './admin/index.js';
import { AppModule, type AppOptions } from './app.module.js';
import { SERVICE_SETTINGS, type ServiceSettings, type Settings } from './config/index.js';
import { databaseProblem } from './database/index.js';
import {
  createValidationPipe,
  ProblemFilter,
  createHttpAdapter,
  limitConnections,
  setUpOpenApi,
  addRequestHooks,
  apiHeaders,
  pageHeaders,
} from './http/index.js';
import { NestLogger, setRequestContextMode } from './logging/index.js';
import { MONITORING_ROUTES, RequestTimings } from './monitoring/index.js';
import { ApiKeyGuard } from './tenant/index.js';

/**
 * Sets up what the application needs to serve HTTP: hooks, validation, problem documents, admin pages,
 * OpenAPI.
 */
export async function configureApp(
  app: NestFastifyApplication,
  { logger, errors, role }: AppOptions,
): Promise<void> {
  const admin = app.get(AdminConsole);
  const guard = app.get(ApiKeyGuard);
  const settings = app.get<ServiceSettings>(SERVICE_SETTINGS);
  const { NODE_ENV, REQUEST_CONTEXT, DOCS } = settings;
  const isWorker = role === 'worker';
  const isProduction = NODE_ENV === 'production';
  setRequestContextMode(REQUEST_CONTEXT);
  limitConnections(app.getHttpServer(), {
    idleMs: settings.HTTP_IDLE_TIMEOUT_MS,
    max: settings.HTTP_MAX_CONNECTIONS,
    // Behind a proxy, all connections have its address.
    maxPerAddress: settings.TRUST_PROXY === false ? settings.HTTP_MAX_CONNECTIONS_PER_ADDRESS : 0,
  });
  guard.declareAccess();
  addRequestHooks(app.getHttpAdapter().getInstance(), {
    logger,
    apiHeaders: apiHeaders({ isProduction }),
    pageHeaders: pageHeaders({ isProduction }),
    timings: app.get(RequestTimings),
    adminGate: admin.gate,
    guard,
    ...(isWorker && { servedRoutes: MONITORING_ROUTES }),
  });
  app.useGlobalPipes(createValidationPipe());
  app.useGlobalFilters(new ProblemFilter(logger, [databaseProblem], errors));
  if (isWorker) return;
  await admin.mount(app);
  if (DOCS !== 'off') setUpOpenApi(app);
  // Browsers send neither the key nor the cookie of the admin pages to /docs.
  if (DOCS === 'admin') setUpOpenApi(app, 'admin/docs');
}

/**
 * Creates the application, configured but not listening, as used by `main.ts`, `worker.ts` and the tests.
 * With the role `worker` it serves only probes, metrics and the snapshot.
 * @throws StartupError if the store or database cannot be used
 */
export async function createApp(settings: Settings, options: AppOptions): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.forRoot(settings, options),
    createHttpAdapter(settings.service, options.logger, options.errors),
    { logger: new NestLogger(options.logger), abortOnError: false, bodyParser: false },
  );
  await configureApp(app, options);
  return app;
}
