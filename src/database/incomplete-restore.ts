import { RESTORE_MARKER, StartupError } from '../config/index.js';
import type { OpenConnection } from './connection.js';

/**
 * Refuses a database into which a backup is being restored, or was restored in part. Closes the connection
 * then.
 * @throws StartupError that says what to do
 */
export async function requireCompleteRestore(opened: OpenConnection): Promise<void> {
  const { connection } = opened;
  const found = await connection
    .getClient()
    .db(connection.name)
    .listCollections({ name: RESTORE_MARKER })
    .toArray();
  if (found.length === 0) return;
  await opened.close();
  throw new StartupError(
    `A backup is being restored into the database "${connection.name}", or a restore was interrupted. Wait for it, or run the same "npm run restore" again. To start with an empty database instead, drop it.`,
  );
}
