import type { Goal } from '../../session/index.js';
import { GoalDialogue } from './goal-dialogue.js';
import { type GoalResponderConfig, goalResponderConfig } from './goal-template.js';
import { starterConfig } from './starter-config.js';

/** A Wednesday. */
const today = { year: 2026, month: 5, day: 13 };

/** A participant talking to the goal responder. State is carried from message to message as in a session. */
class Talk {
  goals: Goal[] = [];
  context: Record<string, unknown> = {};
  private count = 0;

  constructor(private readonly config: GoalResponderConfig = starterConfig) {}

  say(content: string): string {
    const result = new GoalDialogue({
      config: this.config,
      content,
      activeGoals: this.goals,
      context: this.context,
      today,
      newGoalId: () => `g${++this.count}`,
    }).step();
    this.goals = result.activeGoals ?? this.goals;
    this.context = result.context ?? this.context;
    return result.reply?.content ?? '';
  }

  /** "type status {slots}" of each goal, ordered by id. */
  get state(): string[] {
    return [...this.goals]
      .sort((a, b) => a.id.localeCompare(b.id))
      .map(({ type, status, slots }) => `${type} ${status} ${JSON.stringify(slots)}`);
  }
}

describe('GoalDialogue', () => {
  it('books a table slot by slot', () => {
    const talk = new Talk();
    expect(talk.say('Hello')).toBe(starterConfig.fallback);
    expect(talk.state).toEqual([]);
    expect(talk.say("I'd like to book a table")).toBe('For how many people?');
    expect(talk.say('we are 4')).toBe('On which day?');
    expect(talk.say('tomorrow')).toBe('At what time?');
    expect(talk.say('7pm')).toBe('Thank you! A table for 4 on 2026-05-14 at 19:00 is noted.');
    expect(talk.state).toEqual([
      'table_booking completed {"partySize":4,"date":"2026-05-14","time":"19:00"}',
    ]);
    expect(talk.context).toEqual({});
  });

  it('reads every value in the first message', () => {
    const talk = new Talk();
    expect(talk.say('A table for 2 on 20 May at 8, please')).toContain('for 2 on 2026-05-20 at 20:00');
  });

  it('accepts values in any order and asks for the missing ones', () => {
    const talk = new Talk();
    talk.say('reservation');
    expect(talk.say('friday at noon')).toBe('For how many people?');
    expect(talk.state).toEqual(['table_booking active {"date":"2026-05-15","time":"12:00"}']);
    expect(talk.say('3')).toContain('Thank you!');
  });

  it('asks again with a hint if an answer does not match', () => {
    const talk = new Talk();
    talk.say('book');
    expect(talk.say('many')).toBe('I need a number from 1 to 50.\nFor how many people?');
    expect(talk.say('200')).toBe('I need a number from 1 to 50.\nFor how many people?');
    talk.say('2');
    expect(talk.say('whenever')).toBe('I need a date, for example tomorrow or 12 May.\nOn which day?');
  });

  it('changes a filled slot only if the message is a correction', () => {
    const talk = new Talk();
    talk.say('table for 4');
    expect(talk.say('tomorrow, we are 5')).toBe('At what time?');
    expect(talk.state[0]).toContain('"partySize":4');
    expect(talk.say('actually make it 5 people')).toBe('At what time?');
    expect(talk.state[0]).toContain('"partySize":5');
  });

  it('cancels the current goal', () => {
    const talk = new Talk();
    talk.say('book a table for 4');
    expect(talk.say('Never mind!')).toBe(starterConfig.cancelled);
    expect(talk.state).toEqual(['table_booking cancelled {"partySize":4}']);
    expect(talk.say('tomorrow')).toBe(starterConfig.fallback);
  });

  it('lets a new goal interrupt, and resumes the older one', () => {
    const talk = new Talk();
    talk.say('book a table for 4');
    expect(talk.say('wait, where is my order?')).toBe('What is the order number?');
    expect(talk.say('A-1042')).toBe(
      `Thank you. Order A-1042 is noted and will be looked up.\n${starterConfig.resumed}\nOn which day?`,
    );
    expect(talk.say('tomorrow')).toBe('At what time?');
    talk.say('19:30');
    expect(talk.state).toEqual([
      'table_booking completed {"partySize":4,"date":"2026-05-14","time":"19:30"}',
      'order_status completed {"orderNumber":"A-1042"}',
    ]);
  });

  it('resumes the older goal after the newer one was cancelled', () => {
    const talk = new Talk();
    talk.say('book a table');
    talk.say('my order');
    expect(talk.say('cancel that')).toBe(
      `${starterConfig.cancelled}\n${starterConfig.resumed}\nFor how many people?`,
    );
    expect(talk.state).toEqual(['table_booking active {}', 'order_status cancelled {}']);
  });

  it('finishes the current goal first if its answer also starts another', () => {
    const talk = new Talk();
    talk.say('table for 4 tomorrow');
    expect(talk.say('7pm. And where is my order?')).toBe(
      'Thank you! A table for 4 on 2026-05-14 at 19:00 is noted.\nWhat is the order number?',
    );
  });

  it('handles several goals of one message in the order of mention', () => {
    const talk = new Talk();
    expect(talk.say('My order, and a table')).toBe('What is the order number?');
    expect(talk.say('77-1')).toContain('For how many people?');
    expect(talk.state).toHaveLength(2);
  });

  it('resumes a paused goal instead of starting a second one of its type', () => {
    const talk = new Talk();
    talk.say('book a table for 3');
    talk.say('my order');
    expect(talk.say('first the table')).toBe('On which day?');
    expect(talk.state).toEqual(['table_booking active {"partySize":3}', 'order_status active {}']);
  });

  it('takes the whole message as the value of a text slot, including triggers', () => {
    const talk = new Talk();
    expect(talk.say('Can I talk to someone?')).toBe('I will pass you on. What is it about?');
    expect(talk.say('  My order came to the wrong table. ')).toBe(
      'Thank you. Someone will take it from here.',
    );
    expect(talk.state).toEqual(['human_handover completed {"topic":"My order came to the wrong table."}']);
  });

  describe('while a text slot is asked for', () => {
    const config = goalResponderConfig.parse({
      templates: [
        {
          type: 'name',
          triggers: ['name'],
          slots: [{ name: 'name', prompt: 'Who?' }],
          completion: 'Hi {name}',
        },
        { type: 'human', triggers: ['human'], interrupts: true, slots: [], completion: 'Calling one.' },
        { type: 'menu', triggers: ['the menu'], slots: [], completion: 'Soup.' },
      ],
      fallback: '?',
    });

    it.each([
      ['get me a human', `Calling one.\n${config.resumed}\nWho?`],
      ['The menu!', `Soup.\n${config.resumed}\nWho?`],
      ['the menu man', 'Hi the menu man'],
    ])('replies to %j with %j', (content, expected) => {
      const talk = new Talk(config);
      talk.say('name');
      expect(talk.say(content)).toBe(expected);
    });

    it('asks again for an empty message', () => {
      const talk = new Talk(config);
      talk.say('name');
      expect(talk.say('   ')).toBe('I did not get that.\nWho?');
    });
  });

  describe('with a long answer to a text question', () => {
    it('keeps all of it, without the white space around it', () => {
      const talk = new Talk();
      talk.say('Can I talk to someone?');
      const answer = `  ${'é x'.repeat(3333)}y  `;
      expect(talk.say(answer)).toBe('Thank you. Someone will take it from here.');
      expect(talk.goals[0]?.slots).toEqual({ topic: answer.trim() });
    });

    it('asks for a shorter one and says how long it may be', () => {
      const talk = new Talk();
      const question = talk.say('Can I talk to someone?').split('. ')[1] ?? '';
      expect(talk.say('x'.repeat(10_001))).toContain('Please answer in at most 10,000 characters.');
      expect(talk.say('x'.repeat(10_001))).toContain(question);
      expect(talk.goals[0]).toMatchObject({ status: 'active', slots: {} });
    });
  });

  describe('with a number and slots that could also take its digits', () => {
    const config = goalResponderConfig.parse({
      templates: [
        {
          type: 'order',
          triggers: ['order'],
          slots: [
            { name: 'reference', kind: 'code', required: false, prompt: 'Which?' },
            { name: 'phone', kind: 'phone', required: false, prompt: 'Phone?' },
            { name: 'amount', kind: 'number', max: 90_000_000, prompt: 'How many?' },
          ],
          completion: 'done',
        },
      ],
      fallback: '?',
    });

    it.each([
      ['00012', { amount: 12 }],
      ['1,234.5', { amount: 1234.5 }],
      ['12345678', { amount: 12_345_678 }],
      ['12, from A-1042', { amount: 12, reference: 'A-1042' }],
      // It does not fit the slot that was asked for, and is not meant for another.
      ['99999999', {}],
      ['1/2', {}],
    ])('fills the slot that was asked for: %s', (answer, slots) => {
      const talk = new Talk(config);
      talk.say('order');
      talk.say(answer);
      expect(talk.goals[0]?.slots).toEqual(slots);
    });
  });

  it('lists the options of a choice in the text and in the metadata', () => {
    const config = goalResponderConfig.parse({
      templates: [
        {
          type: 'drink',
          triggers: ['drink'],
          slots: [{ name: 'what', kind: 'choice', options: ['Tea', 'Coffee'], prompt: 'Which drink?' }],
          completion: 'One {what}.',
        },
      ],
      fallback: '?',
    });
    const step = new GoalDialogue({
      config,
      content: 'a drink',
      activeGoals: [],
      context: {},
      today,
      newGoalId: () => 'g',
    });
    expect(step.step().reply).toEqual({
      content: 'Which drink? (Tea, Coffee)',
      metadata: {
        goal: { id: 'g', type: 'drink', status: 'active' },
        asking: 'what',
        options: ['Tea', 'Coffee'],
      },
    });
  });

  it('leaves goals without a template and the rest of the context unchanged', () => {
    const talk = new Talk();
    const foreign: Goal = {
      id: 'x',
      type: 'Music_3/PlayMedia',
      status: 'active',
      slots: { track: 'Acapella' },
    };
    talk.goals = [foreign];
    talk.context = { locale: 'en', asking: { goalId: 'gone', slot: 'time' } };
    expect(talk.say('hello')).toBe(starterConfig.fallback);
    expect(talk.goals).toEqual([foreign]);
    expect(talk.context).toEqual({ locale: 'en' });
  });

  it('continues a goal that was added through the API', () => {
    const talk = new Talk();
    talk.goals = [{ id: 'api', type: 'table_booking', status: 'active', slots: { partySize: 2 } }];
    expect(talk.say('tomorrow')).toBe('At what time?');
    expect(talk.goals[0]?.slots).toEqual({ partySize: 2, date: '2026-05-14' });
  });

  it('does not modify its input', () => {
    const goal: Goal = Object.freeze({
      id: 'g0',
      type: 'table_booking',
      status: 'active' as const,
      slots: Object.freeze({}),
    });
    const input = Object.freeze({ activeGoals: Object.freeze([goal]), context: Object.freeze({ a: 1 }) });
    new GoalDialogue({
      ...input,
      config: starterConfig,
      content: 'for 4',
      today,
      newGoalId: () => 'g1',
    }).step();
    expect(input).toEqual({ activeGoals: [goal], context: { a: 1 } });
  });
});

describe('goalResponderConfig', () => {
  const template = {
    type: 'a',
    triggers: ['go'],
    slots: [{ name: 'x', kind: 'number', prompt: 'x?' }],
    completion: 'done {x}',
  };
  const problems = (templates: unknown[], rest: object = {}): string[] =>
    (goalResponderConfig.safeParse({ templates, fallback: 'f', ...rest }).error?.issues ?? []).map(
      ({ path, message }) => `${path.join('.')}: ${message}`,
    );

  it('accepts a plain template', () => {
    expect(problems([template])).toEqual([]);
  });

  it.each([
    [[], {}, 'templates: '],
    [[template, template], {}, 'templates: types must be unique'],
    [[{ ...template, completion: 'done {y}' }], {}, 'templates.0.completion: {y} is not a slot'],
    [[{ ...template, triggers: ['!!'] }], {}, 'templates.0.triggers.0: must contain letters or digits'],
    [
      [{ ...template, slots: [{ name: 'x', kind: 'choice', prompt: '?' }] }],
      {},
      'templates.0.slots.0.options: ',
    ],
    [
      [{ ...template, slots: [{ name: 'x', kind: 'date', min: 1, prompt: '?' }] }],
      {},
      'templates.0.slots.0.min: ',
    ],
    [
      [{ ...template, slots: [{ name: 'x', required: false, prompt: '?' }] }],
      {},
      'templates.0.slots.0.required: ',
    ],
    [
      [{ ...template, slots: [...template.slots, ...template.slots] }],
      {},
      'templates.0.slots: must have unique names',
    ],
    [[template], { timeZone: 'Mars/Base' }, 'timeZone: must be an IANA time zone'],
    [[template], { surprise: 1 }, ': Unrecognized key'],
  ])('rejects %#', (templates, rest, expected) => {
    expect(problems(templates, rest).join('\n')).toContain(expected);
  });
});
