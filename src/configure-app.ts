import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AdminConsole } from './admin/index.js';
import { AppModule, type AppOptions } from './app.module.js';
import { createValidationPipe, NestLogger, ProblemFilter } from './common/index.js';
import { SERVICE_SETTINGS, type ServiceSettings, type Settings } from './config/index.js';
import { databaseProblem } from './database/index.js';
import { createHttpAdapter } from './http-adapter.js';
import { RequestTimings } from './monitoring/index.js';
import { setUpOpenApi } from './openapi.js';
import { addSecurityHeaders } from './security-headers.js';

/** What every way in puts on the application: validation, problem documents, security headers, admin pages, OpenAPI. */
export async function configureApp(
  app: NestFastifyApplication,
  { logger, errors }: AppOptions,
): Promise<void> {
  // A hook sees the routes that come after it: this one is first.
  app.get(RequestTimings).mount(app.getHttpAdapter().getInstance());
  app.useGlobalPipes(createValidationPipe());
  app.useGlobalFilters(new ProblemFilter(logger, [databaseProblem], errors));
  addSecurityHeaders(app.getHttpAdapter().getInstance(), {
    isProduction: app.get<ServiceSettings>(SERVICE_SETTINGS).NODE_ENV === 'production',
  });
  await app.get(AdminConsole).mount(app);
  setUpOpenApi(app);
}

/**
 * The whole API, set up but not yet listening; `main.ts` and the tests use the same.
 * @throws StartupError when the store or database cannot be used
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
