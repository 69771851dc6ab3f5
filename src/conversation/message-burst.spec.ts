import { Types } from 'mongoose';
import type { BurstRecord } from './conversation.schema.js';
import { nextBurst, remainingWait } from './message-burst.js';
import { newConversation } from './conversation.schema.js';
import type { MessageRecord } from './message.schema.js';

const start = Date.parse('2026-11-30T12:00:00Z');
const conversation = newConversation(
  'acme',
  { participantId: 'ana', channel: 'web', metadata: {} },
  new Date(start),
);

/** A message that many milliseconds after the start. */
const messageAt = (ms: number, seq: number): MessageRecord => ({
  _id: new Types.ObjectId(),
  tenantId: 'acme',
  conversationId: conversation._id,
  seq,
  role: 'user',
  content: 'hi',
  attachments: [],
  metadata: {},
  timestamp: new Date(start + ms),
});

/** The burst after messages at these times. */
const burstOf = (times: readonly number[], debounceMs: number): BurstRecord | undefined =>
  times.reduce<BurstRecord | undefined>(
    (burst, ms, index) => nextBurst(burst, messageAt(ms, index + 1), debounceMs),
    undefined,
  );
const endOf = (burst: BurstRecord | undefined): number => (burst?.until.getTime() ?? NaN) - start;

describe('the burst of a conversation', () => {
  it('goes on while each message follows the one before it within debounceMs', () => {
    expect(burstOf([0, 900, 1800], 1000)).toMatchObject({ fromSeq: 1, since: new Date(start) });
    expect(endOf(burstOf([0, 900, 1800], 1000))).toBe(2800);
    expect(burstOf([0, 900, 1900], 1000)).toMatchObject({ fromSeq: 3, since: new Date(start + 1900) });
  });

  it('ends after five times debounceMs, even if messages still follow', () => {
    const times = [0, 900, 1800, 2700, 3600, 4500];
    expect(endOf(burstOf(times, 1000))).toBe(5000);
    expect(burstOf([...times, 4999], 1000)).toMatchObject({ fromSeq: 1 });
    expect(burstOf([...times, 5000], 1000)).toMatchObject({ fromSeq: 7 });
  });

  it('ends after a minute at the latest', () => {
    expect(endOf(burstOf([0, 29_000, 58_000], 30_000))).toBe(60_000);
  });

  it('ends with its 50th message', () => {
    const times = Array.from({ length: 50 }, (_, index) => index);
    expect(endOf(burstOf(times.slice(0, 49), 1000))).toBe(1048);
    expect(endOf(burstOf(times, 1000))).toBe(49);
    expect(burstOf([...times, 49], 1000)).toMatchObject({ fromSeq: 51 });
  });

  it('remembers that its first message created the conversation', () => {
    const first = nextBurst(undefined, messageAt(0, 1), 1000, true);
    expect(nextBurst(first, messageAt(500, 2), 1000).opensConversation).toBe(true);
    expect(nextBurst(first, messageAt(1500, 2), 1000).opensConversation).toBe(false);
  });
});

describe('the time that a message waits', () => {
  const message = messageAt(0, 1);
  const burst = nextBurst(undefined, message, 1000);
  const waiting = { ...conversation, burst };

  it('is what is left of its burst', () => {
    expect(remainingWait(waiting, message, start + 300)).toBe(700);
    expect(remainingWait(waiting, message, start + 1000)).toBe(0);
  });

  it('does not grow if the clock of another process is ahead', () => {
    expect(remainingWait(waiting, message, start - 5000)).toBe(1000);
  });

  it('is 0 if another message follows it, or there is no burst', () => {
    const next = nextBurst(burst, messageAt(500, 2), 1000);
    expect(remainingWait({ ...conversation, burst: next }, message, start)).toBe(0);
    expect(remainingWait(conversation, message, start)).toBe(0);
  });
});
