import { Inject, Injectable } from '@nestjs/common';
import { untilAborted } from '../../common/index.js';
import { LOGGER, type Logger } from '../../logging/index.js';
import { ResponderSettingsService } from '../../responder/index.js';
import { boundedText } from './bounded-text.js';
import { ExtractiveSummarizer } from './extractive.summarizer.js';
import { MAX_SUMMARY_LENGTH, type Summarizer, type Summary, type SummaryInput } from './summarizer.js';

/** Longest wait for a responder's summary, milliseconds. */
const TIMEOUT_MS = 30_000;

/** Most of a transcript that a responder is sent, bytes of UTF-8: beginning and end of a longer one. */
export const MAX_PROMPT_BYTES = 64 * 1024;

/** Asks the tenant's responder; the extractive one stands in for a responder that cannot, may not or does not. */
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
        'the responder gave no summary; an extract stands in for it',
      );
    }
    return this.extractive.summarize(input);
  }

  /** Undefined when the responder makes no summaries. */
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
    // Also ends the wait for a responder that takes no notice of the signal.
    const answered = await untilAborted(responder.summarize(request, bounded), bounded);
    const summary = answered
      .replaceAll('\0', '')
      .replace(/\p{Surrogate}/gu, '\u{fffd}')
      .trim();
    if (summary === '' || summary.length > MAX_SUMMARY_LENGTH)
      throw new RangeError(`a summary has 1 to ${MAX_SUMMARY_LENGTH} characters, not ${summary.length}`);
    return summary;
  }
}
