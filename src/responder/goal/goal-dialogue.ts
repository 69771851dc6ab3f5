import type { Goal } from '../../session/index.js';
import type { ResponderResult } from '../responder.js';
import type { CalendarDay } from './calendar.js';
import { GoalMessage } from './goal-reading.js';
import {
  fillPlaceholders,
  type GoalResponderConfig,
  type GoalSlot,
  type GoalTemplate,
} from './goal-template.js';

export interface DialogueInput {
  config: GoalResponderConfig;
  content: string;
  activeGoals: readonly Goal[];
  context: Readonly<Record<string, unknown>>;
  today: CalendarDay;
  newGoalId: () => string;
}

/** The question that the last reply ended with; kept in the session's context under `asking`. */
interface Asking {
  goalId: string;
  slot: string;
}

const defaultReprompts: Record<GoalSlot['kind'], string> = {
  text: 'I did not get that.',
  number: 'I need a number.',
  date: 'I need a date, for example tomorrow or 12 May.',
  time: 'I need a time, for example 7pm or 19:30.',
  email: 'I need an e-mail address.',
  phone: 'I need a phone number.',
  code: 'I need a number or code with at least one digit.',
  choice: 'I need one of the options.',
};

function askingIn(context: Readonly<Record<string, unknown>>): Asking | undefined {
  const asking = context['asking'];
  if (typeof asking !== 'object' || asking === null) return undefined;
  const { goalId, slot } = asking as Partial<Record<keyof Asking, unknown>>;
  return typeof goalId === 'string' && typeof slot === 'string' ? { goalId, slot } : undefined;
}

/**
 * One step of a slot-filling dialogue: what a message does to the goals, and what is said next. A goal that is interrupted by
 * another waits; when the newer one ends, the older one is taken up again. Goals of types without a template are left alone.
 */
export class GoalDialogue {
  private goals: Goal[];
  private readonly message: GoalMessage;
  private readonly said: string[] = [];
  private readonly startedNow = new Set<string>();
  private readonly templates: ReadonlyMap<string, GoalTemplate>;
  private readonly asking: Asking | undefined;

  constructor(private readonly input: DialogueInput) {
    this.goals = [...input.activeGoals];
    this.message = new GoalMessage(input.content, input.today);
    this.templates = new Map(input.config.templates.map((template) => [template.type, template]));
    this.asking = askingIn(input.context);
  }

  step(): ResponderResult {
    const focus = this.focus(this.asking?.goalId);
    const asked = focus && this.askedSlot(focus);
    const others = this.triggered(asked).filter(({ type }) => type !== focus?.type);
    if (!focus) {
      if (others.length === 0) return this.result(this.input.config.fallback, null);
      return this.startOthers(others);
    }
    if (others.length === 0) {
      if (this.message.isCancel(this.input.config)) return this.cancel(focus);
      const understood = this.fill(focus, asked);
      return this.proceed(focus.id, !understood);
    }
    // An answer that also asks for something else: the goal at hand goes on, the other one is taken up after it.
    if (asked && asked.kind !== 'text' && this.fill(focus, asked, [asked])) {
      this.start(others, focus.id);
      return this.proceed(focus.id);
    }
    return this.startOthers(others);
  }

  /** The goal that the dialogue is about: the one asked for, else the newest that is active. */
  private focus(preferred?: string): Goal | undefined {
    const active = this.goals.filter(({ status, type }) => status === 'active' && this.templates.has(type));
    return active.find(({ id }) => id === preferred) ?? active.at(-1);
  }

  private goal(id: string): Goal {
    const goal = this.goals.find((candidate) => candidate.id === id);
    if (!goal) throw new Error(`goal ${id} is not in the session`);
    return goal;
  }

  private templateOf(goal: Goal): GoalTemplate {
    const template = this.templates.get(goal.type);
    if (!template) throw new Error(`goal type ${goal.type} has no template`);
    return template;
  }

  private askedSlot(goal: Goal): GoalSlot | undefined {
    if (this.asking?.goalId !== goal.id) return undefined;
    return this.templateOf(goal).slots.find(({ name }) => name === this.asking?.slot);
  }

  private startOthers(templates: readonly GoalTemplate[]): ResponderResult {
    const goal = this.start(templates);
    this.fill(goal, undefined);
    return this.proceed(goal.id);
  }

  /**
   * Starts a goal for each template, or takes up the one that waits. They are put so that the first is the newest, and so taken up
   * first; with `after`, that goal stays before them all. Answers the goal that is now the newest.
   */
  private start(templates: readonly GoalTemplate[], after?: string): Goal {
    const goals = [...templates].reverse().map((template): Goal => {
      const waiting = this.goals.find(({ type, status }) => type === template.type && status === 'active');
      if (waiting) return waiting;
      const goal: Goal = { id: this.input.newGoalId(), type: template.type, status: 'active', slots: {} };
      this.startedNow.add(goal.id);
      return goal;
    });
    const last = after === undefined ? [] : [this.goal(after)];
    const moved = new Set([...goals, ...last].map(({ id }) => id));
    this.goals = [...this.goals.filter(({ id }) => !moved.has(id)), ...goals, ...last];
    const newest = this.goals.at(-1);
    if (!newest) throw new Error('no goal was started');
    return newest;
  }

  /** In the answer to a question for free text, a trigger counts only alone or when its template interrupts. */
  private triggered(asked: GoalSlot | undefined): GoalTemplate[] {
    const { templates } = this.input.config;
    if (asked?.kind !== 'text') return this.message.triggered(templates);
    const interrupting = this.message.triggered(templates.filter(({ interrupts }) => interrupts));
    return [...new Set([...interrupting, ...this.message.triggeredExactly(templates)])];
  }

  /** Puts what the message says into the goal's slots, or only into `slots`; false when it says nothing that fits. */
  private fill(goal: Goal, asked: GoalSlot | undefined, slots = this.openSlots(goal)): boolean {
    const values = this.message.readSlots(slots, asked);
    if (Object.keys(values).length === 0) return false;
    this.replace({ ...goal, slots: { ...goal.slots, ...values } });
    return true;
  }

  /** Slots without a value; when the message corrects something, those with one too. */
  private openSlots(goal: Goal): GoalSlot[] {
    return this.templateOf(goal).slots.filter(
      ({ name }) => this.message.isCorrection || goal.slots[name] === undefined,
    );
  }

  private replace(goal: Goal): void {
    this.goals = this.goals.map((candidate) => (candidate.id === goal.id ? goal : candidate));
  }

  private cancel(goal: Goal): ResponderResult {
    this.replace({ ...goal, status: 'cancelled' });
    this.said.push(this.input.config.cancelled);
    return this.resume(goal);
  }

  /** Asks for what is missing, or completes the goal and goes on with one that waits. */
  private proceed(goalId: string, notUnderstood = false): ResponderResult {
    const goal = this.goal(goalId);
    const template = this.templateOf(goal);
    const missing = template.slots.find(({ name, required }) => required && goal.slots[name] === undefined);
    if (missing) {
      const wasAsked = this.asking?.goalId === goal.id && this.asking.slot === missing.name;
      if (notUnderstood && wasAsked) this.said.push(missing.reprompt ?? defaultReprompts[missing.kind]);
      return this.ask(goal, missing);
    }
    const done: Goal = { ...goal, status: 'completed' };
    this.replace(done);
    this.said.push(fillPlaceholders(template.completion, done.slots));
    return this.resume(done);
  }

  private resume(ended: Goal): ResponderResult {
    const next = this.focus();
    if (!next) return this.result(undefined, null, ended);
    if (!this.startedNow.has(next.id)) this.said.push(this.input.config.resumed);
    return this.proceed(next.id);
  }

  private ask(goal: Goal, slot: GoalSlot): ResponderResult {
    const prompt = fillPlaceholders(slot.prompt, goal.slots);
    const options = slot.options ? ` (${slot.options.join(', ')})` : '';
    return this.result(`${prompt}${options}`, { goalId: goal.id, slot: slot.name }, goal, slot);
  }

  private result(
    text: string | undefined,
    asking: Asking | null,
    goal?: Goal,
    slot?: GoalSlot,
  ): ResponderResult {
    const content = [...this.said, ...(text === undefined ? [] : [text])].join('\n');
    const { asking: _previous, ...context } = this.input.context;
    return {
      reply: {
        content,
        metadata: {
          ...(goal && { goal: { id: goal.id, type: goal.type, status: goal.status } }),
          ...(slot && { asking: slot.name }),
          ...(slot?.options && { options: slot.options }),
        },
      },
      activeGoals: this.goals,
      context: asking ? { ...context, asking } : context,
    };
  }
}
