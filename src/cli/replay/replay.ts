import { messageOf } from '../../common/index.js';
import { type ApiClient, RequestFailure } from '../api-client.js';
import { asAppended, asCreated, asMessagePage, asSession, type StoredMessage } from '../api-shapes.js';
import { concurrently } from '../concurrently.js';
import type { Dialogue, Turn } from '../dialogues.js';
import { finalGoals, goalDifferences, goalsAfter, type PlainGoal } from './goals.js';
import { Samples } from '../samples.js';

/** Page size for reading messages back: small, so that most dialogues need several pages. */
const PAGE_SIZE = 10;
const CHANNEL = 'web';

export interface ReplayOptions {
  /** Number of dialogues in progress at the same time. */
  concurrency: number;
  /** Prefix of the participant ids of this run, so that two runs with the same tenant do not collide. */
  run: string;
  onTurnWritten?: () => void;
  onDialogueCompared?: () => void;
}

export interface ReplayResult {
  dialogues: number;
  /** Turns that were appended and acknowledged. */
  turns: number;
  messagesCompared: number;
  goalsCompared: number;
  /** One sentence per mismatch, starting with the line number in the file. */
  mismatches: string[];
  /** Failed requests by the problem's code. */
  errors: Map<string, number>;
  /** The first failed requests with their details, at most ten. */
  errorExamples: string[];
  writeMs: number;
  readMs: number;
  /** The duration of each append, in milliseconds. */
  appendLatency: Samples;
}

interface Written {
  dialogue: Dialogue;
  participantId: string;
  conversationId: string;
}

const messagesPath = (conversationId: string): string => `/v1/conversations/${conversationId}/messages`;
const sessionPath = (participantId: string): string => `/v1/sessions/${encodeURIComponent(participantId)}`;

/** Sends dialogues to a running service, then reads everything back and compares it. */
export class Replay {
  private readonly written: Written[] = [];
  private readonly result: ReplayResult;

  constructor(
    private readonly api: ApiClient,
    private readonly options: ReplayOptions,
  ) {
    this.result = {
      dialogues: 0,
      turns: 0,
      messagesCompared: 0,
      goalsCompared: 0,
      mismatches: [],
      errors: new Map(),
      errorExamples: [],
      writeMs: 0,
      readMs: 0,
      appendLatency: new Samples(),
    };
  }

  /** Runs the replay. A failed request ends its dialogue, but never the run. */
  async run(dialogues: readonly Dialogue[]): Promise<ReplayResult> {
    const { concurrency } = this.options;
    const begun = performance.now();
    await concurrently(dialogues, concurrency, (dialogue) =>
      this.guarded(dialogue, () => this.write(dialogue)),
    );
    const between = performance.now();
    await concurrently(this.written, concurrency, (written) =>
      this.guarded(written.dialogue, () => this.compare(written)),
    );
    this.result.dialogues = dialogues.length;
    this.result.writeMs = between - begun;
    this.result.readMs = performance.now() - between;
    return this.result;
  }

  private async guarded(dialogue: Dialogue, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const code = error instanceof RequestFailure ? error.code : 'unexpected_answer';
      this.result.errors.set(code, (this.result.errors.get(code) ?? 0) + 1);
      if (this.result.errorExamples.length < 10)
        this.result.errorExamples.push(`line ${dialogue.line}: ${messageOf(error)}`);
    }
  }

  private async write(dialogue: Dialogue): Promise<void> {
    const participantId = `${this.options.run}-${dialogue.line}`;
    const { id: conversationId } = await this.api.call('POST', '/v1/conversations', asCreated, {
      participantId,
      channel: CHANNEL,
      metadata: { dialogueId: dialogue.id, services: dialogue.services },
    });
    let goals: PlainGoal[] = [];
    for (const [index, turn] of dialogue.turns.entries()) {
      await this.append(conversationId, `${participantId}-${index + 1}`, turn);
      if (turn.state) {
        goals = goalsAfter(goals, turn.state);
        await this.api.call('PATCH', sessionPath(participantId), asSession, { activeGoals: goals });
      }
      this.result.turns++;
      this.options.onTurnWritten?.();
    }
    this.written.push({ dialogue, participantId, conversationId });
  }

  private async append(conversationId: string, externalId: string, { role, content }: Turn): Promise<void> {
    const begun = performance.now();
    await this.api.call('POST', messagesPath(conversationId), asAppended, {
      messages: [{ role, content, externalId }],
    });
    this.result.appendLatency.add(performance.now() - begun);
  }

  private async compare({ dialogue, participantId, conversationId }: Written): Promise<void> {
    const messages = await this.readMessages(conversationId);
    const differences = messageDifferences(dialogue.turns, messages);
    this.result.messagesCompared += dialogue.turns.length;
    const expected = finalGoals(dialogue.turns);
    if (dialogue.turns.some(({ state }) => state !== undefined)) {
      const session = await this.api.call('GET', sessionPath(participantId), asSession);
      differences.push(...goalDifferences(expected, session.activeGoals));
      this.result.goalsCompared += expected.length;
    }
    this.result.mismatches.push(
      ...differences.map((difference) => `line ${dialogue.line} (${dialogue.id}): ${difference}`),
    );
    this.options.onDialogueCompared?.();
  }

  private async readMessages(conversationId: string): Promise<StoredMessage[]> {
    const messages: StoredMessage[] = [];
    for (let afterSeq = 0; ;) {
      const path = `${messagesPath(conversationId)}?afterSeq=${afterSeq}&limit=${PAGE_SIZE}`;
      const { data, nextCursor } = await this.api.call('GET', path, asMessagePage);
      messages.push(...data);
      const last = data.at(-1);
      if (nextCursor === null || last === undefined) return messages;
      afterSeq = last.seq;
    }
  }
}

/** Describes in one sentence each message that is missing, out of order, changed or superfluous. */
export function messageDifferences(turns: readonly Turn[], messages: readonly StoredMessage[]): string[] {
  const differences: string[] = [];
  for (const [index, turn] of turns.entries()) {
    const message = messages[index];
    const label = `turn ${index + 1}`;
    if (message === undefined) differences.push(`${label} is not stored`);
    else {
      if (message.seq !== index + 1) differences.push(`${label} has seq ${message.seq}`);
      if (message.role !== turn.role)
        differences.push(`${label} has role ${message.role} instead of ${turn.role}`);
      if (message.content !== turn.content)
        differences.push(
          `${label} reads ${JSON.stringify(message.content)} instead of ${JSON.stringify(turn.content)}`,
        );
    }
  }
  if (messages.length > turns.length)
    differences.push(`${messages.length - turns.length} more messages than turns are stored`);
  return differences;
}
