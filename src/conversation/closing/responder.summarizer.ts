import { Inject, Injectable } from '@nestjs/common';
import { untilAborted } from '../../common/index.js';
import { LOGGER, type Logger } from '../../logging/index.js';
import { ResponderSettingsService } from '../../responder/index.js';
import { boundedText } from './bounded-text.js';
import { ExtractiveSummarizer } from './extractive.summarizer.js';
import { MAX_SUMMARY_LENGTH, type Summarizer, type Summary, type SummaryInput } from './summarizer.js';

/** Time limit for a responder's summary, milliseconds. */
const TIMEOUT_MS = 30_000;

/**
 * Maximum size of the transcript sent to a responder, bytes of UTF-8. Of a longer one the beginning and the
 * end are sent.
 */
export const MAX_PROMPT_BYTES = 64 * 1024;

/**
 * Asks the tenant's responder for a summary. Falls back to the extractive summarizer if the responder is
 * disabled, does not support summaries, or fails.
 */
@Injectable()
export class ResponderSummarizer implements Summarizer {
  constructor(
    private readonly settings: ResponderSettingsService,
    private readonly extractive: ExtractiveSummarizer,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async summarize(input: SummaryInput, signal: AbortSignal): Promise<Summary> {
    if (!input.tenant.features.responder) return this.extractive.summarize(input);
    try {
      const text = await this.ask(input, signal);
      if (text !== undefined) return { text, by: 'responder' };
    } catch (error) {
      signal.throwIfAborted();
      const { tenant, conversation } = input;
      this.logger.warn(
        { err: error, tenantId: tenant.tenantId, conversationId: conversation.id },
        'the responder returned no summary; falling back to an extractive summary',
      );
    }
    return this.extractive.summarize(input);
  }

  /** Returns undefined if the responder does not support summaries. */
  private async ask(input: SummaryInput, signal: AbortSignal): Promise<string | undefined> {
    const { tenant, conversation, transcriptId, text, goals } = input;
    const { responder, config } = await this.settings.activeFor(tenant.tenantId);
    if (!responder.summarize) return undefined;
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const request = {
      tenant,
      conversation,
      transcriptId,
      transcript: boundedText(text, MAX_PROMPT_BYTES),
      goals: goals.map(({ type, status, slots }) => ({ type, status, slots: Object.fromEntries(slots) })),
      config,
    };
    // Also ends the wait for a responder that ignores the signal.
    const returned = await untilAborted(responder.summarize(request, bounded), bounded);
    const summary = returned
      .replaceAll('\0', '')
      .replace(/\p{Surrogate}/gu, '\u{fffd}')
      .trim();
    if (summary === '' || summary.length > MAX_SUMMARY_LENGTH)
      throw new RangeError(`a summary has 1 to ${MAX_SUMMARY_LENGTH} characters, not ${summary.length}`);
    return summary;
  }
}
