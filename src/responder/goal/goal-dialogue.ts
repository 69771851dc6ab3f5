import type { Goal } from '../../session/index.js';
import type { ResponderResult } from '../responder.js';
import type { CalendarDay } from './calendar.js';
import { GoalMessage, MAX_TEXT_VALUE } from './goal-reading.js';
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

/** The question at the end of the last reply. Stored in the session's context as `asking`. */
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

const tooLong = `Please answer in at most ${MAX_TEXT_VALUE.toLocaleString('en')} characters.`;

function askingIn(context: Readonly<Record<string, unknown>>): Asking | undefined {
  const asking = context['asking'];
  if (typeof asking !== 'object' || asking === null) return undefined;
  const { goalId, slot } = asking as Partial<Record<keyof Asking, unknown>>;
  return typeof goalId === 'string' && typeof slot === 'string' ? { goalId, slot } : undefined;
}

/**
 * One step of a slot-filling dialogue: determines how a message changes the goals, and the reply. A goal
 * interrupted by another one is paused and resumed when the newer one ends. Goals whose type has no template
 * are left unchanged.
 */
export class GoalDialogue {
  private goals: Goal[];
  private readonly message: GoalMessage;
  private readonly sentences: string[] = [];
  private readonly startedNow = new Set<string>();
  private readonly templates: ReadonlyMap<string, GoalTemplate>;
  private readonly asking: Asking | undefined;

  constructor(private readonly input: DialogueInput) {
    this.goals = [...input.activeGoals];
    this.message = new GoalMessage(input.content, input.today, input.config.language);
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
    // The message answers the question and also starts another goal: continue the current goal first.
    if (asked && asked.kind !== 'text' && this.fill(focus, asked, [asked])) {
      this.start(others, focus.id);
      return this.proceed(focus.id);
    }
    return this.startOthers(others);
  }

  /** Returns the goal that the dialogue is about: the preferred one, otherwise the newest active one. */
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
   * Starts a goal for each template, or resumes the active one of that type. The first template becomes the
   * newest goal, so it is handled first. The goal `after`, if given, stays ahead of them all. Returns the
   * goal that is now the newest.
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

  /**
   * While a free-text question is open, a trigger counts only if it is the whole message or its template
   * interrupts.
   */
  private triggered(asked: GoalSlot | undefined): GoalTemplate[] {
    const { templates } = this.input.config;
    if (asked?.kind !== 'text') return this.message.triggered(templates);
    const interrupting = this.message.triggered(templates.filter(({ interrupts }) => interrupts));
    return [...new Set([...interrupting, ...this.message.triggeredExactly(templates)])];
  }

  /**
   * Fills the goal's slots, or only `slots`, from the message. Returns false if the message contains no
   * matching value.
   */
  private fill(goal: Goal, asked: GoalSlot | undefined, slots = this.openSlots(goal)): boolean {
    const values = this.message.readSlots(slots, asked);
    if (Object.keys(values).length === 0) return false;
    this.replace({ ...goal, slots: { ...goal.slots, ...values } });
    return true;
  }

  /** Slots without a value. If the message is a correction, filled slots are included. */
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
    this.sentences.push(this.input.config.cancelled);
    return this.resume(goal);
  }

  /** Asks for the next missing slot, or completes the goal and resumes a paused one. */
  private proceed(goalId: string, notUnderstood = false): ResponderResult {
    const goal = this.goal(goalId);
    const template = this.templateOf(goal);
    const missing = template.slots.find(({ name, required }) => required && goal.slots[name] === undefined);
    if (missing) {
      const wasAsked = this.asking?.goalId === goal.id && this.asking.slot === missing.name;
      if (notUnderstood && wasAsked) this.sentences.push(this.repromptOf(missing));
      return this.ask(goal, missing);
    }
    const done: Goal = { ...goal, status: 'completed' };
    this.replace(done);
    this.sentences.push(fillPlaceholders(template.completion, done.slots));
    return this.resume(done);
  }

  private repromptOf({ kind, reprompt }: GoalSlot): string {
    if (kind !== 'text' || !this.message.isTooLong) return reprompt ?? defaultReprompts[kind];
    return [...(reprompt === undefined ? [] : [reprompt]), tooLong].join(' ');
  }

  private resume(ended: Goal): ResponderResult {
    const next = this.focus();
    if (!next) return this.result(undefined, null, ended);
    if (!this.startedNow.has(next.id)) this.sentences.push(this.input.config.resumed);
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
    const content = [...this.sentences, ...(text === undefined ? [] : [text])].join('\n');
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
