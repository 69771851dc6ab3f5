import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { RedisProcess } from './redis-process.js';
import { StoreProcess } from '../proofs/store/store-process.js';
import { loadSettings } from '../../src/config/index.js';
import { createApp } from '../../src/create-app.js';
import { type CommandListener, IndexManager } from '../../src/database/index.js';
import { createLogger } from '../../src/logging/index.js';

/** The servers of one run: the embedded store in its own process, and optionally a Redis server. */
export interface BenchServers {
  /** Settings with which an application uses these servers. */
  env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** @param storeChild path of the built test/proofs/store/store-child.js */
export async function startServers(storeChild: string, withRedis: boolean): Promise<BenchServers> {
  const dir = await mkdtemp(join(tmpdir(), 'colloquy-bench-'));
  const closers: (() => Promise<unknown>)[] = [() => rm(dir, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const closeOne of closers.reverse()) await closeOne();
  };
  try {
    const store = await StoreProcess.start(storeChild, dir);
    closers.push(() => store.kill());
    const redis = withRedis ? await RedisProcess.start() : undefined;
    if (redis) closers.push(() => redis.remove());
    const env = { DATA_DIR: dir, LOG_LEVEL: 'silent', MONGODB_URI: store.uri };
    return { env: { ...env, ...(redis && { REDIS_URL: redis.url }) }, close };
  } catch (error) {
    await close();
    throw error;
  }
}

export interface BenchApp {
  app: NestFastifyApplication;
  adminKey: string;
}

/** Creates the whole API in this process with its indexes. It does not listen yet. */
export async function openBenchApp(
  env: Readonly<Record<string, string>>,
  onCommand?: CommandListener,
): Promise<BenchApp> {
  const adminKey = `admin_${randomBytes(18).toString('base64url')}`;
  const settings = loadSettings({ ...env, ADMIN_API_KEY: adminKey });
  const logger = createLogger({ level: settings.service.LOG_LEVEL, pretty: false });
  const app = await createApp(settings, { logger, onCommand });
  await app.get(IndexManager).ensure();
  return { app, adminKey };
}
