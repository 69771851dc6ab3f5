import { Injectable } from '@nestjs/common';
import type { ClosingGoal } from './conversation-transcript.queue.js';
import { excerpt } from './excerpt.js';
import type { Summarizer, Summary, SummaryInput } from './summarizer.js';

/** Maximum lengths of the parts, UTF-16 units. */
const MAX_REQUEST = 400;
const MAX_GOALS = 600;
const MAX_REPLY = 400;

const goalText = ({ type, status, slots }: ClosingGoal): string => {
  const details = slots.map(([name, value]) => `${name} ${value}`).join(', ');
  return `${type} ${status}${details && ` (${details})`}`;
};

/** Lists as many of the newest goals as fit, newest last; older goals are only counted. */
function goalsText(goals: readonly ClosingGoal[]): string {
  const kept: string[] = [];
  let length = 0;
  for (const goal of goals.toReversed()) {
    const text = excerpt(goalText(goal), MAX_GOALS);
    length += text.length + 2;
    if (length > MAX_GOALS + 2) break;
    kept.unshift(text);
  }
  const left = goals.length - kept.length;
  return `${left > 0 ? `${left} earlier; ` : ''}${kept.join('; ')}.`;
}

/**
 * Quotes the conversation: the first request, the goals with their outcome, and the last reply.
 * Deterministic.
 */
@Injectable()
export class ExtractiveSummarizer implements Summarizer {
  summarize({
    firstRequest,
    goals,
    lastReply,
  }: Pick<SummaryInput, 'firstRequest' | 'goals' | 'lastReply'>): Promise<Summary> {
    const parts = [
      firstRequest && `Request: ${excerpt(firstRequest, MAX_REQUEST)}`,
      goals.length > 0 && `Goals: ${goalsText(goals)}`,
      lastReply && `Last reply: ${excerpt(lastReply, MAX_REPLY)}`,
    ].filter((part) => typeof part === 'string' && part !== '');
    return Promise.resolve({ text: parts.join('\n') || null, by: 'extractive' });
  }
}
