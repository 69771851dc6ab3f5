import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const built = fileURLToPath(new URL('../../packages/embedded-mongo/dist', import.meta.url));

async function openStore() {
  if (!existsSync(built)) {
    throw new Error('The embedded store is not built: run npm test, or npm run build first.');
  }
  const { EmbeddedMongo } = await import('@colloquy/embedded-mongo');
  const dir = await mkdtemp(join(tmpdir(), 'colloquy-store-'));
  try {
    return { dir, store: await EmbeddedMongo.open({ dir }) };
  } catch (error) {
    await rm(dir, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Provides a database server for the integration and e2e suites and publishes its URI as
 * COLLOQUY_TEST_MONGODB_URI. This is the server given by TEST_MONGODB_URI, or otherwise one embedded store in
 * this process, shared by all selected projects.
 */
export default async function globalSetup() {
  const given = process.env.TEST_MONGODB_URI;
  if (given) {
    process.env.COLLOQUY_TEST_MONGODB_URI = given;
    return;
  }
  const shared = (globalThis.colloquyTestStore ??= { users: 0, opening: openStore() });
  shared.users += 1;
  const { store } = await shared.opening;
  process.env.COLLOQUY_TEST_MONGODB_URI = store.uri;
}
