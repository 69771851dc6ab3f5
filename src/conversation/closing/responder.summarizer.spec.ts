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

  it('asks the responder of the tenant with its settings, and a bounded text', async () => {
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
      'throws at once',
      () => {
        throw new Error('no model');
      },
    ],
    ['says nothing', () => Promise.resolve(' ')],
    ['says too much', () => Promise.resolve('x'.repeat(10_001))],
  ])('takes an extract when the responder %s, and logs it', async (_how, summarize) => {
    const { summarizer, warn } = setUp(summarize);
    expect(await summarizer.summarize(input, open())).toEqual({ text: extract, by: 'extractive' });
    expect(warn).toHaveBeenCalledTimes(1);
  });

  it('takes an extract when the responder takes too long, also one that does not heed the signal', async () => {
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

  it('quietly takes an extract when the responder makes no summaries, or is switched off', async () => {
    const without = setUp();
    expect(await without.summarizer.summarize(input, open())).toMatchObject({ by: 'extractive' });
    expect(without.warn).not.toHaveBeenCalled();
    const summarize = jest.fn(() => Promise.resolve('never asked for'));
    const off = setUp(summarize);
    const tenant = { ...input.tenant, features: { ...allFeatures, responder: false } };
    expect(await off.summarizer.summarize({ ...input, tenant }, open())).toMatchObject({ by: 'extractive' });
    expect(summarize).not.toHaveBeenCalled();
  });

  it('ends with the try of the job', async () => {
    const job = new AbortController();
    const { summarizer } = setUp(() => {
      job.abort(new Error('shutdown'));
      return new Promise(() => undefined);
    });
    await expect(summarizer.summarize(input, job.signal)).rejects.toThrow('shutdown');
  });
});
