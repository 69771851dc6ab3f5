import { type ApiResponse, RequestFailure } from '../api-client.js';
import { ImportStoppedError, TranscriptSender } from './sender.js';

const answer = (status: number, body: unknown = {}, headers: Record<string, string> = {}): ApiResponse => ({
  status,
  body,
  headers: new Headers(headers),
});
const accepted = answer(202, { id: 'a'.repeat(24) });

/** A sender whose requests receive `answers` one after the other. Its clock only advances while it sleeps. */
function scripted(answers: (ApiResponse | RequestFailure)[], patienceMs = 60_000) {
  let clock = 0;
  const sleeps: number[] = [];
  const request = jest.fn(() => {
    const next = answers.shift() ?? accepted;
    return next instanceof RequestFailure ? Promise.reject(next) : Promise.resolve(next);
  });
  const sender = new TranscriptSender(
    { request },
    {
      patienceMs,
      now: () => clock,
      sleep: (ms) => {
        sleeps.push(ms);
        clock += ms;
        return Promise.resolve();
      },
    },
  );
  return { sender, request, sleeps, signal: new AbortController().signal };
}

const noAnswer = () => new RequestFailure('no_answer', 0, 'connection refused');

describe('TranscriptSender', () => {
  it('returns the id of an accepted transcript', async () => {
    const { sender, request, signal } = scripted([]);
    expect(await sender.send({ a: 1 }, signal)).toEqual({ id: 'a'.repeat(24) });
    expect(request).toHaveBeenCalledWith('POST', '/v1/transcripts', { a: 1 });
  });

  it('retries after the pause that a full queue requests', async () => {
    const { sender, request, sleeps, signal } = scripted([answer(429, {}, { 'retry-after': '3' })]);
    expect(await sender.send({}, signal)).toHaveProperty('id');
    expect(sleeps).toEqual([3000]);
    expect(request).toHaveBeenCalledTimes(2);
  });

  it('makes all callers wait for that pause', async () => {
    const { sender, request, sleeps, signal } = scripted([answer(429, {}, { 'retry-after': '2' })]);
    await sender.send({}, signal);
    expect(sleeps).toHaveLength(1);
    let release: (() => void) | undefined;
    const held = new TranscriptSender(
      { request: jest.fn(() => Promise.resolve(answer(503, {}, { 'retry-after': '2' }))) },
      {
        patienceMs: 60_000,
        now: () => 0,
        sleep: () => new Promise<void>((resolve) => (release = resolve)),
      },
    );
    void held.send({}, signal).catch(() => undefined);
    await new Promise(setImmediate);
    expect(release).toBeDefined();
    const second = jest.fn();
    void held.send({}, signal).then(second, second);
    await new Promise(setImmediate);
    expect(second).not.toHaveBeenCalled();
    expect(request).toHaveBeenCalledTimes(2);
  });

  it('retries with increasing pauses when there is no response or the service is unavailable', async () => {
    const { sender, sleeps, signal } = scripted([noAnswer(), answer(503), answer(502), noAnswer()]);
    await sender.send({}, signal);
    expect(sleeps).toHaveLength(4);
    expect(sleeps[3]).toBeGreaterThan(sleeps[0] ?? Number.NaN);
    expect(sender.retries).toBe(4);
  });

  it.each([400, 409, 413, 422])(
    'treats %d as a problem of the transcript, and returns the reason',
    async (status) => {
      const { sender, request, signal } = scripted([
        answer(status, { code: 'validation_failed', detail: 'transcript: must not be empty' }),
      ]);
      expect(await sender.send({}, signal)).toEqual({
        rejected: `${status} validation_failed transcript: must not be empty`,
      });
      expect(request).toHaveBeenCalledTimes(1);
    },
  );

  it.each([401, 403, 404])('stops at %d', async (status) => {
    const { sender, signal } = scripted([answer(status)]);
    await expect(sender.send({}, signal)).rejects.toThrow(ImportStoppedError);
  });

  it('stops when the service accepts nothing for longer than patienceMs', async () => {
    const { sender, signal } = scripted(Array.from({ length: 100 }, noAnswer), 20_000);
    await expect(sender.send({}, signal)).rejects.toThrow('The service has accepted nothing for');
  });

  it('rejects a transcript that keeps failing while others are accepted, but not while nothing is accepted', async () => {
    const fault = answer(500, { code: 'internal_error' });
    const alone = scripted(
      Array.from({ length: 200 }, () => fault),
      20_000,
    );
    await expect(alone.sender.send({}, alone.signal)).rejects.toThrow(ImportStoppedError);
    const amongOthers = scripted([]);
    const { sender, signal } = amongOthers;
    amongOthers.request.mockImplementation((...args: unknown[]) =>
      Promise.resolve((args[2] as { bad?: boolean }).bad ? fault : accepted),
    );
    const bad = sender.send({ bad: true }, signal);
    let isOver = false;
    void bad.finally(() => (isOver = true));
    for (let n = 0; n < 1000 && !isOver; n++) await sender.send({}, signal);
    expect(await bad).toEqual({ rejected: '500 internal_error' });
  });

  it('stops on the signal while it waits', async () => {
    const { sender } = scripted([answer(429)]);
    await expect(sender.send({}, AbortSignal.abort())).rejects.toThrow();
  });
});
