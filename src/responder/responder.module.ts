import {
  type DynamicModule,
  Inject,
  Module,
  type ModuleMetadata,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { parseSecretKeys, SecretBox } from '../common/index.js';
import { SERVICE_SETTINGS, type ServiceSettings } from '../config/index.js';
import { GoalResponder } from './goal/goal.responder.js';
import { HttpResponder } from './http/http.responder.js';
import { ResponderController } from './responder.controller.js';
import { ResponderRegistry } from './responder-registry.js';
import { ResponderRunner } from './responder-runner.js';
import { ResponderSettingsRepository } from './responder-settings.repository.js';
import { RESPONDER_SETTINGS_MODEL, responderSettingsSchema } from './responder-settings.schema.js';
import { ResponderSettingsService } from './responder-settings.service.js';
import type { Responder } from './responder.js';

const FEATURE = Symbol('responders of a feature');

@Module({})
class ResponderFeatureModule implements OnModuleInit {
  constructor(
    private readonly registry: ResponderRegistry,
    @Inject(FEATURE) private readonly responders: readonly Responder[],
  ) {}

  onModuleInit(): void {
    for (const responder of this.responders) this.registry.add(responder);
  }
}

/** Responders, and the tenants' choice and settings of them. */
@Module({
  imports: [MongooseModule.forFeature([{ name: RESPONDER_SETTINGS_MODEL, schema: responderSettingsSchema }])],
  controllers: [ResponderController],
  providers: [
    GoalResponder,
    HttpResponder,
    {
      provide: ResponderRegistry,
      useFactory: (...builtIn: Responder[]) => new ResponderRegistry(builtIn),
      inject: [GoalResponder, HttpResponder],
    },
    ResponderSettingsRepository,
    {
      provide: SecretBox,
      useFactory: ({ SECRETS_KEY }: ServiceSettings) =>
        new SecretBox(SECRETS_KEY === undefined ? [] : (parseSecretKeys(SECRETS_KEY) ?? [])),
      inject: [SERVICE_SETTINGS],
    },
    ResponderSettingsService,
    ResponderRunner,
  ],
  exports: [ResponderRegistry, ResponderSettingsService, ResponderRunner],
})
export class ResponderModule {
  /**
   * Registers additional responders, which tenants choose by their `type`. They are providers: they can
   * inject what is global or exported by `imports`. See docs/extending.md.
   */
  static forFeature(
    responders: readonly Type<Responder>[],
    imports: NonNullable<ModuleMetadata['imports']> = [],
  ): DynamicModule {
    return {
      module: ResponderFeatureModule,
      imports: [ResponderModule, ...imports],
      providers: [
        ...responders,
        { provide: FEATURE, useFactory: (...all: Responder[]) => all, inject: [...responders] },
      ],
    };
  }
}
