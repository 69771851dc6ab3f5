import { Inject, Injectable } from '@nestjs/common';
import { withTimeout } from '../common/index.js';
import { PROCESSING_SETTINGS, type ProcessingSettings } from '../config/index.js';
import { checkResult } from './responder-result.js';
import { ResponderSettingsService } from './responder-settings.service.js';
import { type Responder, ResponderError, type ResponderRequest, type ResponderResult } from './responder.js';

/** MESSAGE_PROCESSOR_TIMEOUT went by without a reply. */
export class ResponderTimeoutError extends Error {
  constructor(readonly timeoutMs: number) {
    super(`the responder gave no reply within ${timeoutMs} ms`);
    this.name = 'ResponderTimeoutError';
  }
}

/** For responders that are immediate: there is nothing to abort. */
const neverAborted = new AbortController().signal;

/** The responder of a tenant, ready to be asked. */
export interface TenantResponder {
  /** See `Responder.isImmediate`. */
  readonly isImmediate: boolean;
  /**
   * Waits no longer than MESSAGE_PROCESSOR_TIMEOUT, and checks the result.
   * @throws ResponderTimeoutError; a result that comes later is discarded
   * @throws ResponderError for every other failure of the responder
   */
  run(request: Omit<ResponderRequest, 'config'>): Promise<ResponderResult>;
}

/** Asks the responders of tenants. */
@Injectable()
export class ResponderRunner {
  private readonly timeoutMs: number;

  constructor(
    private readonly settings: ResponderSettingsService,
    @Inject(PROCESSING_SETTINGS) { MESSAGE_PROCESSOR_TIMEOUT }: ProcessingSettings,
  ) {
    this.timeoutMs = MESSAGE_PROCESSOR_TIMEOUT;
  }

  /** @throws ResponderError when the tenant's responder cannot be used */
  async of(tenantId: string): Promise<TenantResponder> {
    const { responder, config } = await this.settings.activeFor(tenantId);
    const { isImmediate = false } = responder;
    return { isImmediate, run: (request) => this.run(responder, { ...request, config }) };
  }

  private async run(responder: Responder, request: ResponderRequest): Promise<ResponderResult> {
    try {
      const result = responder.isImmediate
        ? await responder.respond(request, neverAborted)
        : await this.inTime(responder, request);
      return checkResult(result, 'What the responder answered');
    } catch (error) {
      if (error instanceof ResponderTimeoutError || error instanceof ResponderError) throw error;
      throw new ResponderError('The responder failed.', { cause: error });
    }
  }

  private async inTime(responder: Responder, request: ResponderRequest): Promise<ResponderResult> {
    const abort = new AbortController();
    try {
      return await withTimeout(responder.respond(request, abort.signal), this.timeoutMs, (): never => {
        throw new ResponderTimeoutError(this.timeoutMs);
      });
    } catch (error) {
      // Only now: aborted before, the responder's own error could come first.
      if (error instanceof ResponderTimeoutError) abort.abort(error);
      throw error;
    }
  }
}
