import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import type { Responder, ResponderRequest, ResponderResult } from '../responder.js';
import { dayIn } from './calendar.js';
import { GoalDialogue } from './goal-dialogue.js';
import { type GoalResponderConfig, goalResponderConfig } from './goal-template.js';

/**
 * The built-in responder: recognizes what the participant wants by trigger words and asks for missing
 * information.
 */
@Injectable()
export class GoalResponder implements Responder<GoalResponderConfig> {
  readonly type: string = 'goals';
  readonly isImmediate = true;
  readonly configSchema = goalResponderConfig;

  /** Overridden in tests to make "tomorrow" and ids deterministic. */
  protected readonly now = (): Date => new Date();
  protected readonly newGoalId = (): string => randomUUID();

  /** Messages that get one reply are read as one text. */
  respond({
    config,
    message,
    burst = [],
    session,
  }: ResponderRequest<GoalResponderConfig>): Promise<ResponderResult> {
    const dialogue = new GoalDialogue({
      config,
      content: [...burst, message].map(({ content }) => content).join('\n'),
      activeGoals: session.activeGoals,
      context: session.context,
      today: dayIn(this.now(), config.timeZone),
      newGoalId: this.newGoalId,
    });
    return Promise.resolve(dialogue.step());
  }
}
