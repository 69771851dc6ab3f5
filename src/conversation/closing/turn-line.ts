import type { MessageRole } from '../../responder/index.js';
import type { MessageRecord } from '../message.schema.js';
import { oneLine } from './excerpt.js';

/**
 * What begins a line, so that people see who speaks. Signs rather than names: a name in each line would be the commonest word of every
 * transcript, and searches by meaning would find less (docs/conversations.md has the figures).
 */
const marks: Readonly<Record<MessageRole, string>> = {
  user: '>',
  assistant: '<',
  system: '#',
  tool: '*',
};

/** One message as one line: who speaks, the text, and the attachments by type and name. */
export function turnLine({
  role,
  content,
  attachments,
}: Pick<MessageRecord, 'role' | 'content' | 'attachments'>): string {
  const attached = attachments.map(({ type, name }) => `[${name === undefined ? type : `${type}: ${name}`}]`);
  return [marks[role], oneLine(content), ...attached.map(oneLine)].filter(Boolean).join(' ');
}
