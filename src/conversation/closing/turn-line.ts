import type { MessageRole } from '../../responder/index.js';
import type { MessageRecord } from '../message.schema.js';
import { oneLine } from './excerpt.js';

/**
 * The prefix that shows who wrote a line. Symbols are used because role names would become the most frequent
 * words of every transcript and make semantic search less accurate (figures in docs/conversations.md).
 */
const marks: Readonly<Record<MessageRole, string>> = {
  user: '>',
  assistant: '<',
  system: '#',
  tool: '*',
};

/** Formats a message as one line: the sender's symbol, the text, and the attachments by type and name. */
export function turnLine({
  role,
  content,
  attachments,
}: Pick<MessageRecord, 'role' | 'content' | 'attachments'>): string {
  const attached = attachments.map(({ type, name }) => `[${name === undefined ? type : `${type}: ${name}`}]`);
  return [marks[role], oneLine(content), ...attached.map(oneLine)].filter(Boolean).join(' ');
}
