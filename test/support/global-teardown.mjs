import { rm } from 'node:fs/promises';

/**
 * Closes the embedded store of globalSetup after the last project that used it has finished, and removes its
 * files.
 */
export default async function globalTeardown() {
  const shared = globalThis.colloquyTestStore;
  if (!shared) return;
  shared.users -= 1;
  if (shared.users > 0) return;
  delete globalThis.colloquyTestStore;
  const { dir, store } = await shared.opening;
  await store.close();
  await rm(dir, { recursive: true, force: true });
}
