import { Types } from 'mongoose';
import { MAX_TRANSCRIPT_BYTES } from '../../transcript/index.js';
import type { MessageRepository, SeqRange } from '../message.repository.js';
import type { MessageRole } from '../../responder/index.js';
import type { MessageRecord } from '../message.schema.js';
import { ConversationTextReader } from './conversation-text.js';

const conversationId = new Types.ObjectId();

const message = (seq: number, role: MessageRole, content: string): MessageRecord => ({
  _id: new Types.ObjectId(),
  tenantId: 'acme',
  conversationId,
  seq,
  role,
  content,
  attachments: [],
  metadata: {},
  timestamp: new Date(seq * 1000),
});

/** Message contents, alternating between the participant and the responder. */
const talk = (...contents: string[]): MessageRecord[] =>
  contents.map((content, index) => message(index + 1, index % 2 ? 'assistant' : 'user', content));

function readerOf(rows: readonly MessageRecord[]): { reader: ConversationTextReader; read: () => number } {
  let read = 0;
  const inRange = ({ after = 0, before = Infinity }: SeqRange): MessageRecord[] =>
    rows.filter(({ seq }) => seq > after && seq < before);
  const answer = (page: MessageRecord[]): Promise<MessageRecord[]> => {
    read += page.length;
    return Promise.resolve(page);
  };
  const messages: Pick<MessageRepository, 'first' | 'last'> = {
    first: (_tenantId, _id, range, limit) => answer(inRange(range).slice(0, limit)),
    last: (_tenantId, _id, range, limit) => answer(inRange(range).slice(-limit)),
  };
  return { reader: new ConversationTextReader(messages as MessageRepository), read: () => read };
}

const textOf = (rows: readonly MessageRecord[], upToSeq = rows.length) =>
  readerOf(rows).reader.read('acme', conversationId.toHexString(), { upToSeq });

describe('ConversationTextReader', () => {
  it('returns a conversation line by line, up to the message at which it was closed', async () => {
    const rows = talk('Hi', 'Hello!', 'A table for four', 'When?', 'after the closing');
    expect(await textOf(rows, 4)).toEqual({
      text: '> Hi\n< Hello!\n> A table for four\n< When?',
      omitted: 0,
      firstRequest: 'A table for four',
      lastReply: 'When?',
      firstMessageAt: new Date(1000),
      lastMessageAt: new Date(4000),
    });
  });

  it('uses a greeting as the request if there is no other message', async () => {
    expect(await textOf(talk('Good morning', 'Hello!', 'Thanks'))).toMatchObject({
      firstRequest: 'Good morning',
    });
    expect(await textOf([])).toMatchObject({ text: '', firstRequest: null, lastReply: null });
  });

  it('reads many pages in order and reports progress', async () => {
    const rows = talk(...Array.from({ length: 350 }, (_, n) => `message ${n + 1}`));
    const shares: number[] = [];
    const { text } = await readerOf(rows).reader.read('acme', conversationId.toHexString(), {
      upToSeq: 350,
      onProgress: (share) => Promise.resolve(void shares.push(share)),
    });
    expect(text.split('\n').map((line) => line.slice(2))).toEqual(rows.map(({ content }) => content));
    expect(shares).toEqual([100 / 350, 200 / 350, 300 / 350]);
  });

  it('keeps the beginning and end of a conversation that is too long, marks the cut, and does not read the middle', async () => {
    const rows = talk(...Array.from({ length: 2000 }, (_, n) => `${n + 1} ${'é'.repeat(2000)}`));
    const { reader, read } = readerOf(rows);
    const found = await reader.read('acme', conversationId.toHexString(), { upToSeq: 2000 });
    expect(Buffer.byteLength(found.text)).toBeLessThanOrEqual(MAX_TRANSCRIPT_BYTES);
    expect(Buffer.byteLength(found.text)).toBeGreaterThan(MAX_TRANSCRIPT_BYTES - 10_000);
    const lines = found.text.split('\n');
    expect(lines[0]).toMatch(/^> 1 é/);
    expect(lines.at(-1)).toMatch(/^< 2000 é/);
    expect(lines.filter((line) => line.startsWith('['))).toEqual([
      `[… ${found.omitted} messages are left out …]`,
    ]);
    expect(lines.length - 1 + found.omitted).toBe(2000);
    expect(found.lastReply).toMatch(/^2000 é/);
    expect(found.lastMessageAt).toEqual(new Date(2_000_000));
    expect(read()).toBeLessThan(700);
  });

  it('keeps a text of exactly the maximum size, and cuts one that is a byte longer', async () => {
    const line = 'x'.repeat(1022);
    // 1,023 lines of 2 + 1,022 bytes and a line feed, and a last line of one byte.
    const fits = [...Array.from({ length: 1023 }, () => line), ''];
    const whole = await textOf(talk(...fits));
    expect(whole.omitted).toBe(0);
    expect(Buffer.byteLength(whole.text)).toBe(MAX_TRANSCRIPT_BYTES);
    fits[0] = `${line}x`;
    expect((await textOf(talk(...fits))).omitted).toBeGreaterThan(0);
  });

  it('stops when the signal aborts', async () => {
    const { reader, read } = readerOf(talk('Hi'));
    const signal = AbortSignal.abort(new Error('given up'));
    await expect(reader.read('acme', conversationId.toHexString(), { upToSeq: 1, signal })).rejects.toThrow(
      'given up',
    );
    expect(read()).toBe(0);
  });
});
