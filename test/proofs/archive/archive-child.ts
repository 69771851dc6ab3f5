// An application without HTTP in a process that can be killed. It archives, restores or sweeps when it is told to.
import { ArchiveRunService, ArchiveService } from '../../../src/archive/index.js';
import { ConversationEraser } from '../../../src/conversation/conversation-eraser.js';
import { DatabaseService, IndexManager } from '../../../src/database/index.js';
import { inApplication } from '../../../src/tool.js';

const signal = new AbortController().signal;

await inApplication(async (app) => {
  const database = app.get(DatabaseService);
  await app.get(IndexManager).prepare(database.storeHandle.kind);
  const work: Record<string, () => Promise<unknown>> = {
    archive: () => app.get(ArchiveRunService).run({ olderThanDays: 0, dryRun: false }, { signal }),
    // What every process does a minute after an interruption.
    sweep: () => app.get(ConversationEraser).sweep(new Date()),
    restore: async () => {
      for (const tenantId of process.argv.slice(2))
        await app.get(ArchiveService).restoreRange({ tenantId }, signal, () => undefined);
    },
  };
  process.on('message', (name: string) => {
    void work[name]?.().then(
      () => process.send?.({ type: 'done' }),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  process.send?.({ type: 'listening', url: database.storeHandle.uri });
  await new Promise((resolve) => process.once('disconnect', resolve));
});
process.exit(0);
