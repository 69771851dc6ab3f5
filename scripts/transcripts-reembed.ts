// npm run transcripts:reembed: gives transcripts whose vector is from another model a new vector from the
// configured embedder. It works whether or not the service is running, with its DATA_DIR or MONGODB_URI. It
// can be stopped at any time and continues where it stopped.
import { Command, InvalidArgumentError } from 'commander';
import { Progress } from '../src/cli/index.js';
import { DatabaseService, IndexManager } from '../src/database/index.js';
import { EmbeddingError } from '../src/search/index.js';
import { inApplication, runCommand } from '../src/tool.js';
import { TranscriptReembedder } from '../src/transcript/index.js';

interface Options {
  batchSize: number;
  dryRun?: boolean;
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const number = (value: number): string => value.toLocaleString('en-US');

function batchSize(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 1000)
    throw new InvalidArgumentError('It must be a whole number from 1 to 1000.');
  return value;
}

async function count(reembedder: TranscriptReembedder): Promise<number> {
  const models = new Map<string, { transcripts: number; tenants: number }>();
  let all = 0;
  for await (const { model, transcripts } of reembedder.outdated()) {
    const sum = models.get(model) ?? { transcripts: 0, tenants: 0 };
    models.set(model, { transcripts: sum.transcripts + transcripts, tenants: sum.tenants + 1 });
    all += transcripts;
  }
  for (const [model, { transcripts, tenants }] of models)
    say(
      `${number(transcripts)} transcripts of ${number(tenants)} ${tenants === 1 ? 'tenant' : 'tenants'} have vectors from ${model}`,
    );
  return all;
}

const reembed = ({ batchSize: size, dryRun }: Options, signal: AbortSignal): Promise<boolean> =>
  inApplication(async (app) => {
    await app.get(IndexManager).prepare(app.get(DatabaseService).storeHandle.kind);
    const reembedder = app.get(TranscriptReembedder);
    const outdated = await count(reembedder);
    if (outdated === 0) say(`All vectors are from ${reembedder.model}.`);
    if (outdated === 0 || dryRun) return true;
    const progress = new Progress(`to ${reembedder.model}`, outdated, process.stderr);
    const result = await reembedder
      .run({
        batchSize: size,
        signal,
        onProgress: (transcripts) => {
          progress.advance(transcripts);
        },
        onRejected: (tenantId, id, error) => {
          process.stderr.write(`${tenantId}/${id}: ${error.message}\n`);
        },
      })
      .finally(() => {
        progress.finish();
      });
    const { reembedded, skipped, rejected, isWhole } = result;
    say(
      `${number(reembedded)} re-embedded, ${number(skipped)} skipped because they changed, ${number(rejected)} rejected`,
    );
    if (!isWhole) say('Stopped before everything was done. The same command continues.');
    return isWhole && rejected === 0;
  });

await new Command('transcripts-reembed')
  .description('Re-embeds transcripts whose vector is from another model than the configured one.')
  .option(
    '--batch-size <count>',
    'number of transcripts that are embedded and written together',
    batchSize,
    64,
  )
  .option('--dry-run', 'only report how many transcripts would be re-embedded')
  .action((options: Options) =>
    runCommand((signal) =>
      reembed(options, signal).catch((error: unknown) => {
        if (!(error instanceof EmbeddingError)) throw error;
        process.stderr.write(
          `${error.message} Transcripts that were already re-embedded are kept; the same command continues.\n`,
        );
        return false;
      }),
    ),
  )
  .parseAsync();
