import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import { LOGGER, type Logger } from '../logging/index.js';
import { EMBEDDER, type Embedder } from '../search/index.js';
import { TranscriptReembedder } from './transcript-reembedder.js';
import { TranscriptWorker } from './transcript.worker.js';

/** Number of transcripts embedded and written together. Small, so that new transcripts hardly wait. */
const BATCH = 20;

const isBuiltIn = (model: string): boolean => model.startsWith('built-in-');

/**
 * Replaces vectors of earlier versions of the built-in embedder, once transcripts are embedded in this
 * process. A change of the embedder is the operator's decision, but a new version of the service must find
 * what the previous one found. An interrupted run is continued at the next start.
 */
@Injectable()
export class VectorUpgrade implements BeforeApplicationShutdown {
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;

  constructor(
    worker: TranscriptWorker,
    private readonly reembedder: TranscriptReembedder,
    @Inject(EMBEDDER) embedder: Embedder,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    if (isBuiltIn(embedder.model))
      worker.onStart(() => {
        this.running ??= this.run();
      });
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    try {
      const { reembedded } = await this.reembedder.run({ batchSize: BATCH, signal, isReplaced: isBuiltIn });
      if (reembedded > 0) this.logger.info({ reembedded }, 'replaced vectors of an earlier embedder');
    } catch (error) {
      if (!signal.aborted)
        this.logger.warn(
          { err: error },
          'could not replace all vectors of an earlier embedder; the next start continues',
        );
    }
  }
}
