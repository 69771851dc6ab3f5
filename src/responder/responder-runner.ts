import { Inject, Injectable } from '@nestjs/common';
import { Counts, withTimeout } from '../common/index.js';
import { PROCESSING_SETTINGS, type ProcessingSettings } from '../config/index.js';
import { checkResult, toJson } from './responder-result.js';
import { ResponderSettingsService } from './responder-settings.service.js';
import { type Responder, ResponderError, type ResponderRequest, type ResponderResult } from './responder.js';

/** No reply was received within MESSAGE_PROCESSOR_TIMEOUT. */
export class ResponderTimeoutError extends Error {
  constructor(readonly timeoutMs: number) {
    super(`the responder returned no reply within ${timeoutMs} ms`);
    this.name = 'ResponderTimeoutError';
  }
}

/** The tenant already has RESPONDER_MAX_CONCURRENT calls of its responder in progress. */
export class ResponderBusyError extends Error {
  constructor(readonly limit: number) {
    super(`${limit} calls of the responder are in progress`);
    this.name = 'ResponderBusyError';
  }
}

/** Begins the messages about what a responder returned. */
const WHOSE = 'The result of the responder';

/** For immediate responders, which cannot be aborted. */
const neverAborted = new AbortController().signal;

/** The responder of a tenant with its settings. */
export interface TenantResponder {
  /** See `Responder.isImmediate`. */
  readonly isImmediate: boolean;
  /** How long a message waits for further ones before the responder is called, milliseconds; 0: not at all. */
  readonly debounceMs: number;
  /**
   * Runs the responder for at most MESSAGE_PROCESSOR_TIMEOUT and validates the result.
   * @throws ResponderTimeoutError after the timeout; a later result is discarded
   * @throws ResponderBusyError at once, if too many calls of the tenant are in progress
   * @throws ResponderError for every other failure of the responder
   */
  run(request: Omit<ResponderRequest, 'config'>): Promise<ResponderResult>;
}

/** True if the responder, or its absence, is the reason why there is no reply. */
export const isResponderFailure = (error: unknown): boolean =>
  error instanceof ResponderError ||
  error instanceof ResponderTimeoutError ||
  error instanceof ResponderBusyError;

/** Runs the responders of tenants. */
@Injectable()
export class ResponderRunner {
  private readonly timeoutMs: number;
  private readonly maxConcurrent: number;
  /** Calls in progress by tenant. */
  private readonly running = new Counts();

  constructor(
    private readonly settings: ResponderSettingsService,
    @Inject(PROCESSING_SETTINGS) { MESSAGE_PROCESSOR_TIMEOUT, RESPONDER_MAX_CONCURRENT }: ProcessingSettings,
  ) {
    this.timeoutMs = MESSAGE_PROCESSOR_TIMEOUT;
    this.maxConcurrent = RESPONDER_MAX_CONCURRENT;
  }

  /** @throws ResponderError if the tenant's responder cannot be used */
  async of(tenantId: string): Promise<TenantResponder> {
    const { responder, config, debounceMs } = await this.settings.activeFor(tenantId);
    const { isImmediate = false } = responder;
    return { isImmediate, debounceMs, run: (request) => this.run(responder, { ...request, config }) };
  }

  private async run(responder: Responder, request: ResponderRequest): Promise<ResponderResult> {
    try {
      const result = responder.isImmediate
        ? await responder.respond(request, neverAborted)
        : await this.counted(request.tenant.tenantId, () => this.inTime(responder, request));
      return checkResult(toJson(result, WHOSE), WHOSE);
    } catch (error) {
      if (isResponderFailure(error)) throw error;
      throw new ResponderError('The responder failed.', { cause: error });
    }
  }

  private async counted<T>(tenantId: string, work: () => Promise<T>): Promise<T> {
    if (this.running.of(tenantId) >= this.maxConcurrent) throw new ResponderBusyError(this.maxConcurrent);
    this.running.add(tenantId, 1);
    try {
      return await work();
    } finally {
      this.running.add(tenantId, -1);
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
