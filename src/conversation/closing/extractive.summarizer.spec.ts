import { closingGoals } from './closing-goals.js';
import { ExtractiveSummarizer } from './extractive.summarizer.js';
import type { SummaryInput } from './summarizer.js';

type Input = Pick<SummaryInput, 'firstRequest' | 'goals' | 'lastReply'>;

const textOf = async (input: Partial<Input>): Promise<string | null> =>
  (await new ExtractiveSummarizer().summarize({ firstRequest: null, goals: [], lastReply: null, ...input }))
    .text;

describe('ExtractiveSummarizer', () => {
  it('contains the first request, the goals with their outcome, and the last reply', async () => {
    const goals = closingGoals([
      { id: '1', type: 'book_table', status: 'completed', slots: { guests: 4, day: '2026-11-22' } },
      { id: '2', type: 'order_status', status: 'active', slots: {} },
    ]);
    expect(
      await textOf({ firstRequest: 'A table for four, please.', goals, lastReply: 'See you tomorrow.' }),
    ).toBe(
      'Request: A table for four, please.\n' +
        'Goals: book_table completed (guests 4, day 2026-11-22); order_status active.\n' +
        'Last reply: See you tomorrow.',
    );
  });

  it('leaves out missing parts', async () => {
    expect(await textOf({ lastReply: 'Hello?' })).toBe('Last reply: Hello?');
    expect(await textOf({})).toBeNull();
  });

  it('is bounded: keeps whole sentences of long messages, and the newest goals', async () => {
    const long = 'This is one sentence of many. '.repeat(1000);
    const many = Array.from({ length: 100 }, (_, n) => ({
      id: `${n}`,
      type: `goal_${n}`,
      status: 'cancelled' as const,
      slots: { reason: 'a reason that takes some room to tell, in order to be long' },
    }));
    const text = await textOf({ firstRequest: long, goals: closingGoals(many), lastReply: long });
    const [request, goals, reply] = text?.split('\n') ?? [];
    expect(request).toMatch(/^Request: (This is one sentence of many\. ?)+$/);
    expect(request?.length).toBeLessThanOrEqual(409);
    expect(goals).toMatch(/^Goals: 1\d earlier; goal_\d+ cancelled .*; goal_99 cancelled \(.*\)\.$/);
    expect(goals?.length).toBeLessThanOrEqual(630);
    expect(reply?.length).toBeLessThanOrEqual(412);
  });
});

describe('closingGoals', () => {
  it('keeps only readable slot values, shortened', () => {
    const [goal] = closingGoals([
      {
        id: '1',
        type: 'order',
        status: 'active',
        slots: {
          note: 'x '.repeat(100),
          items: ['tea', 2],
          paid: false,
          raw: { deep: 1 },
          none: null,
          empty: '',
        },
      },
    ]);
    expect(goal?.slots.map(([name]) => name)).toEqual(['note', 'items', 'paid']);
    expect(goal?.slots[0]?.[1].length).toBeLessThanOrEqual(80);
    expect(goal?.slots.slice(1)).toEqual([
      ['items', 'tea, 2'],
      ['paid', 'false'],
    ]);
  });

  it('limits the goals so that they fit into a job', () => {
    const slots = Object.fromEntries(
      Array.from({ length: 500 }, (_, n) => [`s${n}`.repeat(60), 'v'.repeat(5000)]),
    );
    const goals = closingGoals(
      Array.from({ length: 100 }, (_, n) => ({
        id: `${n}`,
        type: 't'.repeat(200),
        status: 'active' as const,
        slots,
      })),
    );
    expect(Buffer.byteLength(JSON.stringify(goals))).toBeLessThan(64 * 1024);
  });
});
