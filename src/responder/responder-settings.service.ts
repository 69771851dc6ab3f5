import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { TransactionRunner } from '../database/index.js';
import { type FieldProblem, validationFailed } from '../http/index.js';
import { starterConfig } from './goal/starter-config.js';
import { ResponderRegistry } from './responder-registry.js';
import { ResponderSettingsRepository } from './responder-settings.repository.js';
import { type Responder, ResponderError } from './responder.js';

/** How long other processes may go on with settings that were changed here. */
const CACHE_MS = 1000;
const CACHED_TENANTS = 10_000;

export interface ActiveResponder {
  responder: Responder;
  config: unknown;
}

/** What a tenant sees of its responder. */
export interface ResponderSettings {
  type: string;
  /** Without the secret fields. */
  config: Record<string, unknown>;
  /** The end of each secret that is stored. */
  secretHints: Record<string, string>;
  /** The tenant has chosen nothing, and this is what it starts with. */
  isDefault: boolean;
  updatedAt: Date | null;
}

type Choice = { type: string; config: Record<string, unknown>; updatedAt: Date | null };

const starter: Choice = { type: 'goals', config: starterConfig, updatedAt: null };

/** Long enough to tell two secrets apart, too short to help in guessing: at most 4 of at least 16 characters. */
const hintOf = (secret: unknown): string =>
  typeof secret === 'string' && secret.length >= 16 ? `…${secret.slice(-4)}` : '…';

@Injectable()
export class ResponderSettingsService {
  /** Messages that arrive while the settings are read wait for the same read. */
  private readonly active = new LRUCache<string, ActiveResponder>({
    max: CACHED_TENANTS,
    ttl: CACHE_MS,
    fetchMethod: (tenantId) => this.load(tenantId),
    // A choice that is made meanwhile ends a read; who waits for it still gets what it finds, which is not kept.
    ignoreFetchAbort: true,
  });

  constructor(
    private readonly repository: ResponderSettingsRepository,
    private readonly registry: ResponderRegistry,
    private readonly transactions: TransactionRunner,
  ) {}

  /**
   * The responder of a tenant with its settings; at most CACHE_MS old.
   * @throws ResponderError when it is not installed any more, or no longer accepts what is stored
   */
  activeFor(tenantId: string): Promise<ActiveResponder> | ActiveResponder {
    return this.active.get(tenantId) ?? this.active.forceFetch(tenantId);
  }

  async read(tenantId: string): Promise<ResponderSettings> {
    return this.view(await this.choiceOf(tenantId));
  }

  /**
   * Stores the choice of a tenant. Secret fields that are left out keep their stored value while the type stays the same.
   * @throws ProblemError 400 for an unknown type or settings that it does not accept
   */
  async put(tenantId: string, type: string, config: Record<string, unknown>): Promise<ResponderSettings> {
    const responder = this.registry.find(type);
    if (!responder)
      throw validationFailed([{ path: 'type', message: `must be one of ${this.registry.types.join(', ')}` }]);
    const missing = (responder.secretFields ?? []).filter((field) => config[field] === undefined);
    const choice =
      missing.length === 0
        ? await this.store(tenantId, responder, config)
        : // One that another request stores meanwhile is kept, not written over with what was read before.
          await this.transactions.run(async () =>
            this.store(tenantId, responder, await this.withStoredSecrets(tenantId, type, missing, config)),
          );
    await this.forget(tenantId);
    return this.view(choice);
  }

  /** Back to what a tenant starts with. */
  async reset(tenantId: string): Promise<void> {
    await this.repository.delete(tenantId);
    await this.forget(tenantId);
  }

  private async load(tenantId: string): Promise<ActiveResponder> {
    const { type, config } = await this.choiceOf(tenantId);
    const responder = this.registry.find(type);
    if (!responder) throw new ResponderError(`The responder "${type}" of this tenant is not installed.`);
    const parsed = responder.configSchema.safeParse(config);
    if (!parsed.success)
      throw new ResponderError(
        `The responder "${type}" no longer accepts its settings; PUT /v1/responder again.`,
      );
    return { responder, config: parsed.data };
  }

  private async choiceOf(tenantId: string): Promise<Choice> {
    return (await this.repository.find(tenantId)) ?? starter;
  }

  /** The next message reads the settings, once they are committed. */
  private forget(tenantId: string): Promise<void> {
    return this.transactions.afterCommit(() => {
      this.active.delete(tenantId);
    });
  }

  /** @throws ProblemError 400 for settings that the responder does not accept */
  private async store(
    tenantId: string,
    { type, configSchema }: Responder,
    config: Record<string, unknown>,
  ): Promise<Choice> {
    const parsed = configSchema.safeParse(config);
    if (!parsed.success)
      throw validationFailed(
        parsed.error.issues.map(({ path, message }): FieldProblem => ({
          path: ['config', ...path].map(String).join('.'),
          message,
        })),
      );
    const choice = { type, config: parsed.data as Record<string, unknown>, updatedAt: new Date() };
    await this.repository.put(tenantId, choice);
    return choice;
  }

  private async withStoredSecrets(
    tenantId: string,
    type: string,
    missing: readonly string[],
    config: Record<string, unknown>,
  ): Promise<Record<string, unknown>> {
    const stored = await this.repository.find(tenantId);
    if (stored?.type !== type) return config;
    const kept = missing.filter((field) => stored.config[field] !== undefined);
    return { ...config, ...Object.fromEntries(kept.map((field) => [field, stored.config[field]])) };
  }

  private view({ type, config, updatedAt }: Choice): ResponderSettings {
    const secretFields = new Set(this.registry.find(type)?.secretFields ?? []);
    const entries = Object.entries(config);
    return {
      type,
      config: Object.fromEntries(entries.filter(([field]) => !secretFields.has(field))),
      secretHints: Object.fromEntries(
        entries.filter(([field]) => secretFields.has(field)).map(([field, value]) => [field, hintOf(value)]),
      ),
      isDefault: updatedAt === null,
      updatedAt,
    };
  }
}
