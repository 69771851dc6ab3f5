// npm run db:indexes: creates every collection and index that the modules declare, and prints them with
// counts and sizes. It uses the store of a running service with the same DATA_DIR, and is safe to run
// repeatedly.
import { Command } from 'commander';
import { renderIndexReport } from '../src/cli/index.js';
import { DatabaseService, IndexManager } from '../src/database/index.js';
import { inApplication, runCommand } from '../src/tool.js';

const ensureIndexes = (): Promise<boolean> =>
  inApplication(async (app) => {
    const { kind, uri, database } = app.get(DatabaseService).stats();
    process.stdout.write(`Database "${database}" of ${kind === 'embedded' ? 'the embedded store' : uri}\n\n`);
    process.stdout.write(renderIndexReport(await app.get(IndexManager).ensure()));
    return true;
  });

await new Command('db-indexes')
  .description('Creates all collections and indexes, and prints them with counts and sizes.')
  .action(() => runCommand(ensureIndexes))
  .parseAsync();
