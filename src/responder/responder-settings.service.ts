import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { isSealed, SecretBox, UnreadableSecretError } from '../common/index.js';
import { StartupError } from '../config/index.js';
import { TransactionRunner } from '../database/index.js';
import { type FieldProblem, validationFailed } from '../http/index.js';
import { starterConfig } from './goal/starter-config.js';
import { ResponderRegistry } from './responder-registry.js';
import { ResponderSettingsRepository } from './responder-settings.repository.js';
import { type Responder, ResponderError } from './responder.js';

/** How long other processes may use outdated settings after a change, milliseconds. */
const CACHE_MS = 1000;
const CACHED_TENANTS = 10_000;
const RESEAL_BATCH = 100;

export interface ActiveResponder {
  responder: Responder;
  config: unknown;
  /** How long a message waits for further ones, milliseconds; 0: not at all. */
  debounceMs: number;
  /** When the settings were stored; null for the default. */
  updatedAt: Date | null;
}

/** The responder settings as shown to the tenant. */
export interface ResponderSettings {
  type: string;
  /** The configuration without secret fields. */
  config: Record<string, unknown>;
  /** The last characters of each stored secret. */
  secretHints: Record<string, string>;
  /** Milliseconds; 0: off. */
  debounceMs: number;
  /** True if the tenant has not chosen a responder and uses the default. */
  isDefault: boolean;
  updatedAt: Date | null;
}

type Choice = Pick<ResponderSettings, 'type' | 'config' | 'debounceMs' | 'updatedAt'>;

const starter: Choice = { type: 'goals', config: starterConfig, debounceMs: 0, updatedAt: null };

/**
 * Returns the last characters of secrets with at least 16 characters: enough to distinguish secrets, too few to
 * help guess them. Half of a surrogate pair at the beginning is left out.
 */
const hintOf = (secret: unknown): string =>
  typeof secret === 'string' && secret.length >= 16
    ? `…${secret.slice(-4).replace(/^\p{Surrogate}/u, '')}`
    : '…';

/** What an encrypted secret is bound to. */
const contextOf = (...parts: readonly string[]): string => JSON.stringify(['responder', ...parts]);

@Injectable()
export class ResponderSettingsService implements OnApplicationBootstrap {
  /** Messages that arrive during a read share its result. */
  private readonly active = new LRUCache<string, ActiveResponder>({
    max: CACHED_TENANTS,
    ttl: CACHE_MS,
    noDeleteOnStaleGet: true,
    fetchMethod: (tenantId, previous) => this.load(tenantId, previous),
    // A change aborts a read in progress. Callers waiting for it still get its result, but it is not cached.
    ignoreFetchAbort: true,
  });

  constructor(
    private readonly repository: ResponderSettingsRepository,
    private readonly registry: ResponderRegistry,
    private readonly transactions: TransactionRunner,
    private readonly box: SecretBox,
  ) {}

  /**
   * Encrypts the secrets that are not encrypted yet, or with an earlier key.
   * @throws StartupError if secrets are encrypted with a key that SECRETS_KEY lacks
   */
  async onApplicationBootstrap(): Promise<void> {
    const types = this.registry.types.filter((type) => this.secretFieldsOf(type).length > 0);
    const { keyId, keyIds } = this.box;
    const missing = await this.repository.otherKeyId(types, keyIds);
    if (missing !== undefined)
      throw new StartupError(
        `Secrets of tenants are encrypted with the key "${missing}", which is not in SECRETS_KEY. Add that key to SECRETS_KEY (after the current one, separated by a comma).`,
      );
    if (keyId === undefined) return;
    for (;;) {
      const rows = await this.repository.notSealedBy(types, keyId, RESEAL_BATCH);
      let unreadable = 0;
      for (const row of rows) {
        const opened = this.readable(row.tenantId, row);
        if (opened)
          await this.repository.reseal(row, this.sealed(row.tenantId, row.type, opened.config), keyId);
        else unreadable++;
      }
      if (rows.length < RESEAL_BATCH || unreadable === rows.length) return;
    }
  }

  /**
   * Returns the tenant's responder with its settings, at most CACHE_MS old.
   * @throws ResponderError if the responder is not installed, or rejects the stored settings
   */
  activeFor(tenantId: string): Promise<ActiveResponder> | ActiveResponder {
    return this.active.get(tenantId) ?? this.active.forceFetch(tenantId);
  }

  async read(tenantId: string): Promise<ResponderSettings> {
    const choice = await this.choiceOf(tenantId);
    // If a secret cannot be decrypted, only its hint is missing.
    return this.view(this.readable(tenantId, choice) ?? choice);
  }

  /**
   * Stores a tenant's choice of responder. Omitted secret fields keep their stored value if the type is
   * unchanged.
   * @throws ProblemError 400 for an unknown type or invalid settings
   */
  async put(
    tenantId: string,
    type: string,
    config: Record<string, unknown>,
    debounceMs = 0,
  ): Promise<ResponderSettings> {
    const responder = this.registry.find(type);
    if (!responder)
      throw validationFailed([{ path: 'type', message: `must be one of ${this.registry.types.join(', ')}` }]);
    const missing = (responder.secretFields ?? []).filter((field) => (config[field] ?? null) === null);
    const choice =
      missing.length === 0
        ? await this.store(tenantId, responder, config, debounceMs)
        : // In a transaction, so that a secret stored by a concurrent request is not overwritten.
          await this.transactions.run(async () =>
            this.store(
              tenantId,
              responder,
              await this.withStoredSecrets(tenantId, type, missing, config),
              debounceMs,
            ),
          );
    await this.forget(tenantId);
    return this.view(choice);
  }

  /** Resets a tenant to the default responder. */
  async reset(tenantId: string): Promise<void> {
    await this.repository.delete(tenantId);
    await this.forget(tenantId);
  }

  /** Unchanged settings remain the same object, so that what a responder derives from them can be kept. */
  private async load(tenantId: string, previous?: ActiveResponder): Promise<ActiveResponder> {
    const choice = await this.choiceOf(tenantId);
    const { type, debounceMs, updatedAt } = choice;
    if (previous?.responder.type === type && previous.updatedAt?.getTime() === updatedAt?.getTime())
      return previous;
    const { config } = this.forUse(tenantId, choice);
    const responder = this.registry.find(type);
    if (!responder) throw new ResponderError(`The responder "${type}" of this tenant is not installed.`);
    const parsed = responder.configSchema.safeParse(config);
    if (!parsed.success)
      throw new ResponderError(
        `The responder "${type}" no longer accepts its stored settings; update them with PUT /v1/responder.`,
      );
    return { responder, config: parsed.data, debounceMs, updatedAt };
  }

  private async choiceOf(tenantId: string): Promise<Choice> {
    const found = await this.repository.find(tenantId);
    return found ? { ...found, debounceMs: found.debounceMs ?? 0 } : starter;
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
    debounceMs: number,
  ): Promise<Choice> {
    const parsed = configSchema.safeParse(config);
    if (!parsed.success)
      throw validationFailed(
        parsed.error.issues.map(({ path, message }): FieldProblem => ({
          path: ['config', ...path].map(String).join('.'),
          message,
        })),
      );
    const stored = { type, config: parsed.data as Record<string, unknown>, updatedAt: new Date() };
    const { keyId } = this.box;
    const isSealed = keyId !== undefined && this.secretFieldsOf(type).length > 0;
    await this.repository.put(tenantId, {
      ...stored,
      config: this.sealed(tenantId, type, stored.config),
      ...(isSealed && { sealedBy: keyId }),
      ...(debounceMs > 0 && { debounceMs }),
    });
    return { ...stored, debounceMs };
  }

  private async withStoredSecrets(
    tenantId: string,
    type: string,
    missing: readonly string[],
    config: Record<string, unknown>,
  ): Promise<Record<string, unknown>> {
    const found = await this.repository.find(tenantId);
    if (found?.type !== type) return config;
    // A secret that cannot be decrypted counts as missing, so the tenant must send it again.
    const stored = this.readable(tenantId, found);
    if (!stored) return config;
    const kept = missing.filter((field) => stored.config[field] !== undefined);
    return { ...config, ...Object.fromEntries(kept.map((field) => [field, stored.config[field]])) };
  }

  private secretFieldsOf(type: string): readonly string[] {
    return this.registry.find(type)?.secretFields ?? [];
  }

  private sealed(tenantId: string, type: string, config: Record<string, unknown>): Record<string, unknown> {
    return this.withSecrets(type, config, (value, field) =>
      this.box.seal(value, contextOf(tenantId, type, field)),
    );
  }

  /** @throws UnreadableSecretError */
  private opened<T extends Pick<Choice, 'type' | 'config'>>(tenantId: string, choice: T): T {
    const { type, config } = choice;
    const opened = this.withSecrets(type, config, (value, field) =>
      this.box.open(value, contextOf(tenantId, type, field)),
    );
    return { ...choice, config: opened };
  }

  /** Returns undefined if a secret cannot be decrypted. */
  private readable<T extends Pick<Choice, 'type' | 'config'>>(tenantId: string, choice: T): T | undefined {
    try {
      return this.opened(tenantId, choice);
    } catch (error) {
      if (error instanceof UnreadableSecretError) return undefined;
      throw error;
    }
  }

  /** @throws ResponderError if a secret cannot be decrypted */
  private forUse(tenantId: string, choice: Choice): Choice {
    try {
      return this.opened(tenantId, choice);
    } catch (error) {
      if (error instanceof UnreadableSecretError) throw new ResponderError(error.message);
      throw error;
    }
  }

  private withSecrets(
    type: string,
    config: Record<string, unknown>,
    change: (value: unknown, field: string) => unknown,
  ): Record<string, unknown> {
    const fields = this.secretFieldsOf(type).filter((field) => config[field] !== undefined);
    return { ...config, ...Object.fromEntries(fields.map((field) => [field, change(config[field], field)])) };
  }

  private view({ type, config, debounceMs, updatedAt }: Choice): ResponderSettings {
    const secretFields = new Set(this.secretFieldsOf(type));
    // Also of a responder that is not installed any more.
    for (const [field, value] of Object.entries(config)) if (isSealed(value)) secretFields.add(field);
    const entries = Object.entries(config);
    return {
      type,
      config: Object.fromEntries(entries.filter(([field]) => !secretFields.has(field))),
      secretHints: Object.fromEntries(
        entries.filter(([field]) => secretFields.has(field)).map(([field, value]) => [field, hintOf(value)]),
      ),
      debounceMs,
      isDefault: updatedAt === null,
      updatedAt,
    };
  }
}
