import { z } from 'zod';
import { messageOf } from '../common/index.js';

const stateEntry = z.object({
  service: z.string().min(1),
  intent: z.string().min(1),
  slots: z.record(z.string(), z.unknown()),
});

const turn = z
  .object({
    role: z.enum(['user', 'assistant'], 'must be "user" or "assistant"'),
    content: z.string(),
    state: z.array(stateEntry).optional(),
  })
  .refine(({ role, state }) => role === 'user' || state === undefined, {
    path: ['state'],
    message: 'is only allowed on user turns',
  });

const dialogue = z.object({
  dialogue_id: z.string().min(1, 'must not be empty'),
  services: z.array(z.string()).default([]),
  turns: z.array(turn).min(1, 'must contain at least one turn'),
});

export type StateEntry = z.output<typeof stateEntry>;
export type Turn = z.output<typeof turn>;

export interface Dialogue {
  id: string;
  /** Line number in the file, starting at 1. */
  line: number;
  services: readonly string[];
  turns: readonly Turn[];
}

/** All problems of a file of dialogues, by line. */
export class DialogueFileError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'DialogueFileError';
  }
}

/** Parses one line of a file of dialogues. Returns the dialogue, or all problems of the line. */
export function parseDialogueLine(
  text: string,
  line = 1,
): { dialogue: Dialogue } | { problems: readonly string[] } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { problems: [`is not valid JSON (${messageOf(error)})`] };
  }
  const result = dialogue.safeParse(json);
  if (!result.success)
    return {
      problems: result.error.issues.map(({ path, message }) =>
        path.length > 0 ? `${path.join('.')}: ${message}` : message,
      ),
    };
  const { dialogue_id: id, services, turns } = result.data;
  return { dialogue: { id, line, services, turns } };
}

/**
 * Parses dialogues, one JSON object per line. Empty lines are skipped.
 * @throws DialogueFileError that lists every invalid line, or when there is no dialogue at all
 */
export function parseDialogues(text: string): Dialogue[] {
  const problems: string[] = [];
  const dialogues: Dialogue[] = [];
  const lineOfId = new Map<string, number>();
  for (const [index, lineText] of text.split('\n').entries()) {
    if (lineText.trim() === '') continue;
    const line = index + 1;
    const result = parseDialogueLine(lineText, line);
    if ('problems' in result) {
      problems.push(...result.problems.map((problem) => `line ${line}: ${problem}`));
      continue;
    }
    const parsed = result.dialogue;
    const earlier = lineOfId.get(parsed.id);
    if (earlier !== undefined)
      problems.push(`line ${line}: dialogue_id "${parsed.id}" is already used in line ${earlier}`);
    lineOfId.set(parsed.id, line);
    dialogues.push(parsed);
  }
  if (dialogues.length === 0 && problems.length === 0) problems.push('the file contains no dialogue');
  if (problems.length > 0) throw new DialogueFileError(problems);
  return dialogues;
}
