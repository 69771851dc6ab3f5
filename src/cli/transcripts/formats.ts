import { messageOf } from '../../common/index.js';
import { type Dialogue, parseDialogueLine } from '../dialogues.js';
import { type Line, MAX_LINE_BYTES } from './lines.js';

export const formats = ['transcripts', 'dialogues'] as const;
export type Format = (typeof formats)[number];

export interface FormatOptions {
  format: Format;
  /** The channel for dialogues, which do not contain one. */
  channel: string;
  /** For dialogues: whether each turn starts with its role. */
  labels: boolean;
}

/** The body of `POST /v1/transcripts` for a line, its problem, or neither for an empty line. */
export type ReadLine = { body: Record<string, unknown> } | { problem: string } | { empty: true };

const decoder = new TextDecoder('utf-8', { fatal: true });

/** The id depends only on the content and number of the line, not on the name of the file. */
const nameOf = ({ number, sha256 }: Line): string => `import-${sha256.slice(0, 40)}-${number}`;

/** Returns the text of a dialogue, one turn per line. */
export const dialogueText = ({ turns }: Dialogue, labels: boolean): string =>
  turns.map(({ role, content }) => (labels ? `${role}: ${content}` : content)).join('\n');

function readTranscript(text: string): ReadLine {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { problem: `is not valid JSON (${messageOf(error)})` };
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return { problem: 'is not a JSON object' };
  return { body: { ...json } };
}

function readDialogue(text: string, { channel, labels }: FormatOptions): ReadLine {
  const result = parseDialogueLine(text);
  if ('problems' in result) return { problem: result.problems.join('; ') };
  const { id, services } = result.dialogue;
  const metadata = { dialogueId: id, services };
  const participantId = `dialogue-${id}`;
  return { body: { participantId, channel, transcript: dialogueText(result.dialogue, labels), metadata } };
}

/** Reads one line. A body without an `externalId` is assigned one, so that it can be sent again safely. */
export function readLine(line: Line, options: FormatOptions): ReadLine {
  if (!line.bytes) return { problem: `is longer than ${MAX_LINE_BYTES} bytes` };
  let text: string;
  try {
    text = decoder.decode(line.bytes);
  } catch {
    return { problem: 'is not valid UTF-8' };
  }
  if (text.trim() === '') return { empty: true };
  const read = options.format === 'dialogues' ? readDialogue(text, options) : readTranscript(text);
  if (!('body' in read)) return read;
  return { body: { ...read.body, externalId: read.body['externalId'] ?? nameOf(line) } };
}
