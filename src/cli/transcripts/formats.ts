import { messageOf } from '../../common/index.js';
import { type Dialogue, parseDialogueLine } from '../dialogues.js';
import { type Line, MAX_LINE_BYTES } from './lines.js';

export const formats = ['transcripts', 'dialogues'] as const;
export type Format = (typeof formats)[number];

export interface FormatOptions {
  format: Format;
  /** Of dialogues, which name none. */
  channel: string;
  /** Dialogues: each turn begins with its role. */
  labels: boolean;
}

/** The body of `POST /v1/transcripts` that a line stands for; what is wrong with it; or neither, for an empty line. */
export type ReadLine = { body: Record<string, unknown> } | { problem: string } | { empty: true };

const decoder = new TextDecoder('utf-8', { fatal: true });

/** The same line at the same place of the same content has the same name, whatever the file is called. */
const nameOf = ({ number, sha256 }: Line): string => `import-${sha256.slice(0, 40)}-${number}`;

/** The text of a dialogue: its turns, one a line. */
export const dialogueText = ({ turns }: Dialogue, labels: boolean): string =>
  turns.map(({ role, content }) => (labels ? `${role}: ${content}` : content)).join('\n');

function readTranscript(text: string): ReadLine {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { problem: `is not JSON (${messageOf(error)})` };
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

/** Reads one line; a body without an `externalId` is given one, so that it can be sent again. */
export function readLine(line: Line, options: FormatOptions): ReadLine {
  if (!line.bytes) return { problem: `is longer than ${MAX_LINE_BYTES} bytes` };
  let text: string;
  try {
    text = decoder.decode(line.bytes);
  } catch {
    return { problem: 'is not UTF-8' };
  }
  if (text.trim() === '') return { empty: true };
  const read = options.format === 'dialogues' ? readDialogue(text, options) : readTranscript(text);
  if (!('body' in read)) return read;
  return { body: { ...read.body, externalId: read.body['externalId'] ?? nameOf(line) } };
}
