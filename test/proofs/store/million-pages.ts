import type { Collection } from 'mongodb';
import type { Conversation, Message } from './million-messages.js';

export const PAGE = 50;

/** The durations of each repetition in ms, by the kind of page that is measured. */
export type PageTimes = Record<
  'first page' | 'late page by keyset' | 'late page by getMore' | 'newest of all',
  number[]
>;

export const noTimes = (): PageTimes => ({
  'first page': [],
  'late page by keyset': [],
  'late page by getMore': [],
  'newest of all': [],
});

export interface PageTarget {
  messages: Collection<Message>;
  conversation: Conversation;
  /** One-based number of the late page. */
  latePage: number;
}

const timed = async (times: number[], work: () => Promise<readonly unknown[]>): Promise<void> => {
  const begun = performance.now();
  const found = await work();
  times.push(performance.now() - begun);
  if (found.length !== PAGE) throw new Error(`a page of ${found.length} messages`);
};

/** Reads each kind of page once, as an application does that continues after the last message it has. */
export async function readPages(
  { messages, conversation, latePage }: PageTarget,
  times: PageTimes,
): Promise<void> {
  const page = (afterSeq: number) =>
    messages
      .find({ ...conversation, seq: { $gt: afterSeq } })
      .sort({ seq: 1 })
      .limit(PAGE)
      .toArray();
  const { tenantId } = conversation;
  await timed(times['first page'], () => page(0));
  await timed(times['late page by keyset'], () => page((latePage - 1) * PAGE));
  await timed(times['newest of all'], () =>
    messages.find({ tenantId }).sort({ timestamp: -1, _id: -1 }).limit(PAGE).toArray(),
  );
}

/**
 * Iterates one cursor to the late page, and measures the batch of that page and the few batches before it.
 */
export async function readByGetMore(
  { messages, conversation, latePage }: PageTarget,
  times: PageTimes,
  measured: number,
): Promise<void> {
  const cursor = messages.find(conversation).sort({ seq: 1 }).batchSize(PAGE);
  try {
    for (let page = 1; page <= latePage; page++) {
      const batch = async (): Promise<readonly unknown[]> => {
        await cursor.hasNext();
        return cursor.readBufferedDocuments();
      };
      if (page > latePage - measured) await timed(times['late page by getMore'], batch);
      else await batch();
    }
  } finally {
    await cursor.close();
  }
}
