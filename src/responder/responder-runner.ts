import { Inject, Injectable } from '@nestjs/common';
import { withTimeout } from '../common/index.js';
import { PROCESSING_SETTINGS, type ProcessingSettings } from '../config/index.js';
import { checkResult } from './responder-result.js';
import { ResponderSettingsService } from './responder-settings.service.js';
import { type Responder, ResponderError, type ResponderRequest, type ResponderResult } from './responder.js';

/** No reply was received within MESSAGE_PROCESSOR_TIMEOUT. */
export class ResponderTimeoutError extends Error {
  constructor(readonly timeoutMs: number) {
    super(`the responder returned no reply within ${timeoutMs} ms`);
    this.name = 'ResponderTimeoutError';
  }
}

/** For immediate responders, which cannot be aborted. */
const neverAborted = new AbortController().signal;

/** The responder of a tenant with its settings. */
export interface TenantResponder {
  /** See `Responder.isImmediate`. */
  readonly isImmediate: boolean;
  /**
   * Runs the responder for at most MESSAGE_PROCESSOR_TIMEOUT and validates the result.
   * @throws ResponderTimeoutError after the timeout; a later result is discarded
   * @throws ResponderError for every other failure of the responder
   */
  run(request: Omit<ResponderRequest, 'config'>): Promise<ResponderResult>;
}

/** Runs the responders of tenants. */
@Injectable()
export class ResponderRunner {
  private readonly timeoutMs: number;

  constructor(
    private readonly settings: ResponderSettingsService,
    @Inject(PROCESSING_SETTINGS) { MESSAGE_PROCESSOR_TIMEOUT }: ProcessingSettings,
  ) {
    this.timeoutMs = MESSAGE_PROCESSOR_TIMEOUT;
  }

  /** @throws ResponderError if the tenant's responder cannot be used */
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
      return checkResult(result, 'The result of the responder');
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
      // The signal is aborted only now, so that the responder's own error cannot win the race.
      if (error instanceof ResponderTimeoutError) abort.abort(error);
      throw error;
    }
  }
}
