import { type DynamicModule, Global, Module } from '@nestjs/common';
import type { GroupName, GroupSettings, Settings } from './settings.schema.js';

/** Injection tokens, one per group, so that a module receives only its own settings. */
export const SERVICE_SETTINGS = Symbol('SERVICE_SETTINGS');
export const DATABASE_SETTINGS = Symbol('DATABASE_SETTINGS');
export const REDIS_SETTINGS = Symbol('REDIS_SETTINGS');
export const CACHE_SETTINGS = Symbol('CACHE_SETTINGS');
export const SESSION_SETTINGS = Symbol('SESSION_SETTINGS');
export const QUEUE_SETTINGS = Symbol('QUEUE_SETTINGS');
export const TRANSCRIPT_SETTINGS = Symbol('TRANSCRIPT_SETTINGS');
export const PROCESSING_SETTINGS = Symbol('PROCESSING_SETTINGS');
export const ARCHIVE_SETTINGS = Symbol('ARCHIVE_SETTINGS');
export const MONITORING_SETTINGS = Symbol('MONITORING_SETTINGS');

const tokens: Record<GroupName, symbol> = {
  service: SERVICE_SETTINGS,
  database: DATABASE_SETTINGS,
  redis: REDIS_SETTINGS,
  cache: CACHE_SETTINGS,
  session: SESSION_SETTINGS,
  queue: QUEUE_SETTINGS,
  transcript: TRANSCRIPT_SETTINGS,
  processing: PROCESSING_SETTINGS,
  archive: ARCHIVE_SETTINGS,
  monitoring: MONITORING_SETTINGS,
};

export type ServiceSettings = GroupSettings<'service'>;
export type DatabaseSettings = GroupSettings<'database'>;
export type RedisSettings = GroupSettings<'redis'>;
export type CacheSettings = GroupSettings<'cache'>;
export type SessionSettings = GroupSettings<'session'>;
export type QueueSettings = GroupSettings<'queue'>;
export type TranscriptSettings = GroupSettings<'transcript'>;
export type ProcessingSettings = GroupSettings<'processing'>;
export type ArchiveSettings = GroupSettings<'archive'>;
export type MonitoringSettings = GroupSettings<'monitoring'>;

@Global()
@Module({})
export class ConfigModule {
  static forRoot(settings: Settings): DynamicModule {
    const providers = (Object.keys(tokens) as GroupName[]).map((name) => ({
      provide: tokens[name],
      useValue: settings[name],
    }));
    return { module: ConfigModule, providers, exports: providers.map(({ provide }) => provide) };
  }
}
