import { z } from 'zod';
import { loadSettings } from '../config/index.js';
import { allFeatures } from '../tenant/index.js';
import { ResponderBusyError, ResponderRunner, ResponderTimeoutError } from './responder-runner.js';
import type { ResponderSettingsService } from './responder-settings.service.js';
import { type Responder, ResponderError, type ResponderResult } from './responder.js';

const request = {
  tenant: { tenantId: 'acme', name: 'Acme', plan: 'free' as const, features: allFeatures },
  conversation: { id: null, channel: 'web', participantId: 'ana' },
  message: { id: 'm1', content: 'hello', attachments: [], metadata: {}, externalId: null },
  session: { activeGoals: [], context: {} },
  history: () => Promise.resolve([]),
};

const run = async (respond: Responder['respond']): Promise<ResponderResult> => {
  const responder = { type: 'test', respond };
  const settings = { activeFor: () => Promise.resolve({ responder, config: { volume: 11 } }) };
  const runner = new ResponderRunner(
    settings as unknown as ResponderSettingsService,
    loadSettings({ MESSAGE_PROCESSOR_TIMEOUT: '5000' }).processing,
  );
  return (await runner.of('acme')).run(request);
};

describe('ResponderRunner', () => {
  afterEach(() => jest.useRealTimers());

  it('passes the settings to the responder', async () => {
    const result = await run(({ config, message }) =>
      Promise.resolve({ reply: { content: `${message.content} ${JSON.stringify(config)}` } }),
    );
    expect(result.reply?.content).toBe('hello {"volume":11}');
  });

  it('aborts the responder after the timeout and discards a later result', async () => {
    jest.useFakeTimers();
    let aborted = false;
    let answerLate: (result: ResponderResult) => void = () => undefined;
    const outcome = run((_request, signal) => {
      signal.addEventListener('abort', () => (aborted = true));
      return new Promise((resolve) => (answerLate = resolve));
    }).catch((error: unknown) => error);
    await jest.advanceTimersByTimeAsync(4999);
    expect(aborted).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect(aborted).toBe(true);
    answerLate({ reply: { content: 'late' } });
    expect(await outcome).toEqual(new ResponderTimeoutError(5000));
  });

  it('leaves no unhandled rejection if the responder fails because of the abort', async () => {
    jest.useFakeTimers();
    const outcome = run(
      (_request, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            reject(new Error('aborted'));
          });
        }),
    ).catch((error: unknown) => error);
    await jest.advanceTimersByTimeAsync(5000);
    expect(await outcome).toBeInstanceOf(ResponderTimeoutError);
  });

  it('shows the message of a ResponderError, but not of other errors', async () => {
    await expect(run(() => Promise.reject(new ResponderError('Out of stock.')))).rejects.toThrow(
      'Out of stock.',
    );
    const hidden = await run(() => Promise.reject(new Error('password is hunter2'))).catch(
      (error: unknown) => error,
    );
    expect(hidden).toBeInstanceOf(ResponderError);
    expect((hidden as Error).message).toBe('The responder failed.');
    expect((hidden as Error).cause).toEqual(new Error('password is hunter2'));
  });

  it('also catches a responder that throws synchronously', async () => {
    await expect(
      run(() => {
        throw new Error('at once');
      }),
    ).rejects.toThrow('The responder failed.');
  });

  it('rejects a result that exceeds the limits of a message', async () => {
    await expect(run(() => Promise.resolve({ reply: { content: 'x'.repeat(65_537) } }))).rejects.toThrow(
      'The result of the responder is not valid: reply.content: must be at most 65536 bytes of UTF-8',
    );
  });

  it('refuses calls beyond RESPONDER_MAX_CONCURRENT at once, for each tenant by itself', async () => {
    const waiting: ((result: ResponderResult) => void)[] = [];
    const responder: Responder = {
      type: 'test',
      configSchema: z.unknown(),
      respond: () => new Promise((resolve) => waiting.push(resolve)),
    };
    const settings = { activeFor: () => Promise.resolve({ responder, config: {} }) };
    const runner = new ResponderRunner(
      settings as unknown as ResponderSettingsService,
      loadSettings({ RESPONDER_MAX_CONCURRENT: '2' }).processing,
    );
    const ask = async (tenantId: string): Promise<ResponderResult> =>
      (await runner.of(tenantId)).run({ ...request, tenant: { ...request.tenant, tenantId } });
    const calls = [ask('acme'), ask('acme')];
    await expect(ask('acme')).rejects.toEqual(new ResponderBusyError(2));
    const other = ask('globex');
    await Promise.resolve();
    waiting.shift()?.({ reply: null });
    await calls[0];
    const next = ask('acme');
    await expect(ask('acme')).rejects.toBeInstanceOf(ResponderBusyError);
    await Promise.resolve();
    waiting.forEach((resolve) => resolve({ reply: null }));
    expect(await Promise.all([...calls, other, next])).toHaveLength(4);
  });
});
