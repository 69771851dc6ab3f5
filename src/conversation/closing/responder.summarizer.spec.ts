import type { Logger } from '../../logging/index.js';
import type { Responder, SummaryRequest, ResponderSettingsService } from '../../responder/index.js';
import { allFeatures } from '../../tenant/index.js';
import { ExtractiveSummarizer } from './extractive.summarizer.js';
import { MAX_PROMPT_BYTES, ResponderSummarizer } from './responder.summarizer.js';
import type { SummaryInput } from './summarizer.js';

const input: SummaryInput = {
  tenant: { tenantId: 'acme', name: 'Acme', plan: 'free', features: allFeatures },
  conversation: { id: 'c1', channel: 'web', participantId: 'ana' },
  transcriptId: 't1',
  text: '> A table for four\n< When?',
  firstRequest: 'A table for four',
  lastReply: 'When?',
  goals: [{ type: 'book_table', status: 'active', slots: [['guests', '4']] }],
};
const extract = 'Request: A table for four\nGoals: book_table active (guests 4).\nLast reply: When?';

function setUp(summarize?: Responder['summarize']) {
  const warn = jest.fn();
  const responder = { type: 'test', ...(summarize && { summarize }) };
  const settings = { activeFor: () => Promise.resolve({ responder, config: { tone: 'dry' } }) };
  const summarizer = new ResponderSummarizer(
    settings as unknown as ResponderSettingsService,
    new ExtractiveSummarizer(),
    { warn } as unknown as Logger,
  );
  return { summarizer, warn };
}

const open = (): AbortSignal => new AbortController().signal;

describe('ResponderSummarizer', () => {
  afterEach(() => jest.restoreAllMocks());

  it("calls the tenant's responder with its settings and a bounded text", async () => {
    const asked: SummaryRequest[] = [];
    const { summarizer, warn } = setUp((request) => {
      asked.push(request);
      return Promise.resolve(' A table was asked for. ');
    });
    const text = 'long '.repeat(100_000);
    expect(await summarizer.summarize({ ...input, text }, open())).toEqual({
      text: 'A table was asked for.',
      by: 'responder',
    });
    expect(asked).toMatchObject([
      {
        config: { tone: 'dry' },
        transcriptId: 't1',
        goals: [{ type: 'book_table', status: 'active', slots: { guests: '4' } }],
      },
    ]);
    expect(Buffer.byteLength(asked[0]?.transcript ?? '')).toBeLessThanOrEqual(MAX_PROMPT_BYTES);
    expect(warn).not.toHaveBeenCalled();
  });

  it.each<[string, Responder['summarize']]>([
    ['fails', () => Promise.reject(new Error('no model'))],
    [
      'throws synchronously',
      () => {
        throw new Error('no model');
      },
    ],
    ['returns an empty summary', () => Promise.resolve(' ')],
    ['returns a summary that is too long', () => Promise.resolve('x'.repeat(10_001))],
  ])('falls back to an extract and logs it if the responder %s', async (_how, summarize) => {
    const { summarizer, warn } = setUp(summarize);
    expect(await summarizer.summarize(input, open())).toEqual({ text: extract, by: 'extractive' });
    expect(warn).toHaveBeenCalledTimes(1);
  });

  it('falls back to an extract if the responder takes too long, even if it ignores the signal', async () => {
    const timeout = new AbortController();
    jest.spyOn(AbortSignal, 'timeout').mockReturnValue(timeout.signal);
    const { summarizer, warn } = setUp(() => {
      timeout.abort(new DOMException('too long', 'TimeoutError'));
      return new Promise(() => undefined);
    });
    expect(await summarizer.summarize(input, open())).toMatchObject({ by: 'extractive' });
    expect(AbortSignal.timeout).toHaveBeenCalledWith(30_000);
    expect(warn).toHaveBeenCalledTimes(1);
  });

  it('falls back to an extract without logging if the responder supports no summaries or is disabled', async () => {
    const without = setUp();
    expect(await without.summarizer.summarize(input, open())).toMatchObject({ by: 'extractive' });
    expect(without.warn).not.toHaveBeenCalled();
    const summarize = jest.fn(() => Promise.resolve('never asked for'));
    const off = setUp(summarize);
    const tenant = { ...input.tenant, features: { ...allFeatures, responder: false } };
    expect(await off.summarizer.summarize({ ...input, tenant }, open())).toMatchObject({ by: 'extractive' });
    expect(summarize).not.toHaveBeenCalled();
  });

  it('stops when the job is aborted', async () => {
    const job = new AbortController();
    const { summarizer } = setUp(() => {
      job.abort(new Error('shutdown'));
      return new Promise(() => undefined);
    });
    await expect(summarizer.summarize(input, job.signal)).rejects.toThrow('shutdown');
  });
});
