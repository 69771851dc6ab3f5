import { setTimeout as delay } from 'node:timers/promises';
import { type ApiClient, RequestFailure } from '../../../src/cli/index.js';
import { type Ledger, messagesOf, textOf } from './ledger.js';
import { asHits, asJobState, asPage, asState, asStats, type StoredTranscript } from './shapes.js';

export interface Findings {
  /** Transcripts whose id was returned, and closings whose job was returned. */
  acked: { transcripts: number; closings: number };
  /** How many of these are stored exactly once with the right contents. */
  found: { transcripts: number; closings: number };
  /** Stored although the client received no response, which is allowed. */
  unackedStored: number;
  /** Transcripts sent and closings requested. */
  sent: number;
  rows: number;
  /** How many of the sampled transcripts a search for their own text finds. */
  searched: { found: number; of: number };
  problems: string[];
}

/**
 * How long to wait for everything acknowledged to be stored. Jobs that Redis lost are only detected after a
 * minute.
 */
const DRAIN_MS = 180_000;
const POLL_MS = 500;
const PAGE_SIZE = 200;
const SAMPLE = 20;
const READERS = 8;

/** All transcripts of the tenant. */
export async function readAll(api: ApiClient): Promise<StoredTranscript[]> {
  const rows: StoredTranscript[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const from: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page = await api.call('GET', `/v1/transcripts?limit=${PAGE_SIZE}${from}`, asPage);
    rows.push(...page.data);
    cursor = page.nextCursor;
  }
  return rows;
}

const ackedIds = ({ transcripts, closings }: Ledger): string[] => [
  ...transcripts.flatMap(({ id }) => id ?? []),
  ...closings.flatMap(({ acked }) => acked?.transcriptId ?? []),
];

/** How many transcripts are queued or being processed. */
async function waiting(api: ApiClient): Promise<number> {
  const { queued, processing } = await api.call('GET', '/v1/transcripts/stats', asStats);
  return queued + processing;
}

async function isStored(api: ApiClient, id: string): Promise<boolean> {
  try {
    return (await api.call('GET', `/v1/transcripts/${id}`, asState)).status === 'stored';
  } catch (error) {
    if (error instanceof RequestFailure && error.status === 404) return false;
    throw error;
  }
}

/**
 * Waits until everything acknowledged is stored and nothing is queued. Returns the milliseconds this took, or
 * -1 on timeout.
 */
export async function drained(api: ApiClient, ledger: Ledger): Promise<number> {
  const start = performance.now();
  const present = new Set((await readAll(api)).map(({ id }) => id));
  let missing = ackedIds(ledger).filter((id) => !present.has(id));
  while (missing.length > 0 && performance.now() - start < DRAIN_MS) {
    await delay(POLL_MS);
    const left = [...missing];
    missing = [];
    const reader = async (): Promise<void> => {
      for (let id = left.pop(); id !== undefined; id = left.pop())
        if (!(await isStored(api, id))) missing.push(id);
    };
    await Promise.all(Array.from({ length: READERS }, reader));
  }
  // This includes transcripts accepted without a response reaching the client: afterwards the stored set is
  // final.
  while (missing.length === 0 && (await waiting(api)) > 0 && performance.now() - start < DRAIN_MS)
    await delay(POLL_MS);
  return missing.length === 0 && (await waiting(api)) === 0 ? performance.now() - start : -1;
}

/** Compares the stored transcripts with those sent and acknowledged. */
export async function check(api: ApiClient, ledger: Ledger): Promise<Findings> {
  const rows = await readAll(api);
  const problems: string[] = [];
  const byKey = new Map<string, StoredTranscript[]>();
  for (const row of rows) {
    const key = String(row.metadata['key']);
    byKey.set(key, [...(byKey.get(key) ?? []), row]);
  }
  const expected = new Map<string, { id: string | undefined; isRight: (row: StoredTranscript) => boolean }>();
  for (const { key, id } of ledger.transcripts)
    expected.set(key, { id, isRight: ({ transcript }) => transcript === textOf(key) });
  for (const { key, acked } of ledger.closings)
    expected.set(key, {
      id: acked?.transcriptId,
      isRight: ({ transcript }) => messagesOf(key).every((message) => transcript.includes(message)),
    });
  const sound = new Set<string>();
  for (const [key, { id, isRight }] of expected) {
    const found = byKey.get(key) ?? [];
    const [row] = found;
    if (found.length > 1) problems.push(`duplicated: ${key} is stored ${found.length} times`);
    if (row && !(isRight(row) && row.participantId === key && row.status === 'stored'))
      problems.push(`torn: ${key} is stored as ${JSON.stringify(row).slice(0, 300)}`);
    else if (id !== undefined && row?.id !== id)
      problems.push(`lost: ${key} was acknowledged as ${id}, stored: ${row?.id ?? 'nothing'}`);
    else if (row && found.length === 1) sound.add(key);
  }
  for (const key of byKey.keys()) if (!expected.has(key)) problems.push(`unknown: no client sent ${key}`);
  if (new Set(rows.map(({ id }) => id)).size !== rows.length)
    problems.push('duplicated: an id is listed twice');
  problems.push(...(await unfinishedJobs(api, ledger)));
  const ackedTranscripts = ledger.transcripts.filter(({ id }) => id !== undefined);
  const ackedClosings = ledger.closings.filter(({ acked }) => acked !== undefined);
  const unacked = [
    ...ledger.transcripts.filter(({ id }) => id === undefined),
    ...ledger.closings.filter(({ acked }) => !acked),
  ];
  return {
    acked: { transcripts: ackedTranscripts.length, closings: ackedClosings.length },
    found: {
      transcripts: ackedTranscripts.filter(({ key }) => sound.has(key)).length,
      closings: ackedClosings.filter(({ key }) => sound.has(key)).length,
    },
    unackedStored: unacked.filter(({ key }) => sound.has(key)).length,
    sent: ledger.transcripts.length + ledger.closings.length,
    rows: rows.length,
    searched: await search(api, ackedTranscripts),
    problems,
  };
}

/** One problem for each acknowledged job that still exists and is not in state `completed`. */
async function unfinishedJobs(api: ApiClient, { closings }: Ledger): Promise<string[]> {
  const problems: string[] = [];
  for (const { key, acked } of closings) {
    if (!acked) continue;
    try {
      const { state } = await api.call('GET', `/v1/jobs/${acked.queue}/${acked.jobId}`, asJobState);
      if (state !== 'completed') problems.push(`job: the job of ${key} is ${state}`);
    } catch (error) {
      // Only the most recent finished jobs are kept.
      if (!(error instanceof RequestFailure && error.status === 404)) throw error;
    }
  }
  return problems;
}

/** Whether transcripts were stored with their vectors: searching for a text must find its own transcript. */
async function search(api: ApiClient, acked: Ledger['transcripts']): Promise<Findings['searched']> {
  const step = Math.max(1, Math.floor(acked.length / SAMPLE));
  const sample = acked.filter((_, index) => index % step === 0).slice(0, SAMPLE);
  let found = 0;
  for (const { key, id } of sample) {
    const { data } = await api.call('POST', '/v1/transcripts/search', asHits, {
      query: textOf(key),
      limit: 5,
    });
    if (data.some((hit) => hit.id === id)) found += 1;
  }
  return { found, of: sample.length };
}
