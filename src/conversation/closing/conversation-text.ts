import { Injectable } from '@nestjs/common';
import { MAX_TRANSCRIPT_BYTES } from '../../transcript/index.js';
import { MessageRepository } from '../message.repository.js';
import type { MessageRecord } from '../message.schema.js';
import { oneLine } from './excerpt.js';
import { turnLine } from './turn-line.js';

/** The text of a conversation, as stored in its transcript. */
export interface ConversationText {
  /** One line for each message. If the conversation is too long, only its beginning and end. */
  text: string;
  /** Number of messages left out of a text that was too long. */
  omitted: number;
  /** The participant's first message that is more than a greeting. */
  firstRequest: string | null;
  lastReply: string | null;
  firstMessageAt: Date | null;
  lastMessageAt: Date | null;
}

export interface ReadOptions {
  /** `seq` of the last message to include. */
  upToSeq: number;
  signal?: AbortSignal | undefined;
  /** Called after each page with the share that has been read, 0 to 1. */
  onProgress?: ((share: number) => Promise<void>) | undefined;
}

interface Line {
  seq: number;
  text: string;
  /** UTF-8 bytes of the text, including its line feed. */
  bytes: number;
}

interface Found {
  lines: Line[];
  bytes: number;
  greeting: string | null;
  request: string | null;
  lastReply: string | null;
  firstAt: Date | null;
  lastAt: Date | null;
}

/** Messages per page; each holds at most 64 KiB of content. */
const PAGE = 100;

/** Bytes reserved for the line that reports the omitted messages. */
const CUT_BYTES = 100;

const words = new Intl.Segmenter('en', { granularity: 'word' });

/** True for fewer than three words, such as "Hi" or "good morning". */
function isGreeting(text: string): boolean {
  let count = 0;
  for (const { isWordLike } of words.segment(text.slice(0, 200)))
    if (isWordLike && ++count === 3) return false;
  return true;
}

const lineOf = (message: MessageRecord): Line => {
  const text = turnLine(message);
  return { seq: message.seq, text, bytes: Buffer.byteLength(text) + 1 };
};

const joined = (lines: readonly Line[]): string => lines.map(({ text }) => text).join('\n');

/**
 * Reads conversations as text, page by page. Keeps at most about twice the size of a transcript in memory.
 */
@Injectable()
export class ConversationTextReader {
  constructor(private readonly messages: MessageRepository) {}

  /** Returns an empty text if the conversation has no messages, or none that still exist. */
  async read(tenantId: string, conversationId: string, options: ReadOptions): Promise<ConversationText> {
    const found = await this.readForward(tenantId, conversationId, options);
    const { greeting, request, firstAt } = found;
    const common = { firstRequest: request ?? greeting, firstMessageAt: firstAt };
    if (found.bytes - 1 <= MAX_TRANSCRIPT_BYTES)
      return {
        ...common,
        text: joined(found.lines),
        omitted: 0,
        lastReply: found.lastReply,
        lastMessageAt: found.lastAt,
      };
    const head = firstLines(found.lines, MAX_TRANSCRIPT_BYTES / 2);
    const room = MAX_TRANSCRIPT_BYTES - bytesOf(head) - CUT_BYTES;
    const after = head.at(-1)?.seq ?? 0;
    const end = await this.readBackward(tenantId, conversationId, options, { after, room });
    const omitted = (end.lines[0]?.seq ?? options.upToSeq + 1) - after - 1;
    return {
      ...common,
      text: [joined(head), `[… ${omitted} messages are left out …]`, joined(end.lines)].join('\n'),
      omitted,
      lastReply: end.lastReply,
      lastMessageAt: end.lastAt,
    };
  }

  /**
   * Reads from the beginning until the end, or until slightly more than a transcript can hold has been read.
   */
  private async readForward(
    tenantId: string,
    conversationId: string,
    { upToSeq, signal, onProgress }: ReadOptions,
  ): Promise<Found> {
    const found: Found = {
      lines: [],
      bytes: 0,
      greeting: null,
      request: null,
      lastReply: null,
      firstAt: null,
      lastAt: null,
    };
    for (let after = 0; found.bytes - 1 <= MAX_TRANSCRIPT_BYTES;) {
      signal?.throwIfAborted();
      const range = { after, before: upToSeq + 1 };
      const page = await this.messages.first(tenantId, conversationId, range, PAGE);
      for (const message of page) note(found, message);
      if (page.length < PAGE) break;
      after = page.at(-1)?.seq ?? upToSeq;
      await onProgress?.(after / upToSeq);
    }
    return found;
  }

  private async readBackward(
    tenantId: string,
    conversationId: string,
    { upToSeq, signal }: ReadOptions,
    { after, room }: { after: number; room: number },
  ): Promise<{ lines: Line[]; lastReply: string | null; lastAt: Date | null }> {
    const lines: Line[] = [];
    let lastReply: string | null = null;
    let lastAt: Date | null = null;
    let left = room;
    for (let before = upToSeq + 1; ;) {
      signal?.throwIfAborted();
      const page = await this.messages.last(tenantId, conversationId, { after, before }, PAGE);
      for (const message of page.toReversed()) {
        if (message.deletedAt) continue;
        const line = lineOf(message);
        left -= line.bytes;
        if (left < 0) return { lines: lines.reverse(), lastReply, lastAt };
        lines.push(line);
        lastAt ??= message.timestamp;
        if (message.role === 'assistant') lastReply ??= oneLine(message.content) || null;
      }
      if (page.length < PAGE) return { lines: lines.reverse(), lastReply, lastAt };
      before = page[0]?.seq ?? after;
    }
  }
}

function note(found: Found, message: MessageRecord): void {
  if (message.deletedAt) return;
  const line = lineOf(message);
  found.lines.push(line);
  found.bytes += line.bytes;
  found.firstAt ??= message.timestamp;
  found.lastAt = message.timestamp;
  const text = oneLine(message.content);
  if (text === '') return;
  if (message.role === 'assistant') found.lastReply = text;
  if (message.role !== 'user') return;
  found.greeting ??= text;
  if (found.request === null && !isGreeting(text)) found.request = text;
}

const bytesOf = (lines: readonly Line[]): number => lines.reduce((sum, { bytes }) => sum + bytes, 0);

function firstLines(lines: readonly Line[], maxBytes: number): Line[] {
  let bytes = 0;
  const end = lines.findIndex((line) => (bytes += line.bytes) > maxBytes);
  return lines.slice(0, end === -1 ? lines.length : end);
}
