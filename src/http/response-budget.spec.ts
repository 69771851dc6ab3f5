import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { ResponseBudget } from './response-budget.js';

const MIB = 2 ** 20;
const page = 'GET /v1/pages 200';

const newResponse = (): ServerResponse => new ServerResponse(new IncomingMessage(new Socket()));

/** As Node.js does when a response was sent, or when its client has disconnected. */
function close(response: ServerResponse): void {
  response.destroyed = true;
  response.emit('close');
}

function budgetOf(maxBytes: number, bytesPerSecond = Infinity) {
  const budget = new ResponseBudget({ maxBytes, bytesPerSecond, maxWaitMs: 1000 });
  const request = (tenantId = 'a', kind = page) => {
    const response = newResponse();
    const done = jest.fn<undefined, [Error?]>();
    budget.admit(tenantId, kind, response, done);
    return { response, done, sized: (bytes: number) => budget.sized(tenantId, kind, response, bytes) };
  };
  /** Makes the budget expect responses of this size. */
  const learn = (bytes: number, kind = page): void => {
    const { response, sized } = request('a', kind);
    sized(bytes);
    close(response);
  };
  return { request, learn };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

it('processes as many large responses of a tenant at the same time as fit into the budget, in order', () => {
  const { request, learn } = budgetOf(4 * MIB);
  learn(2 * MIB);
  const requests = Array.from({ length: 5 }, () => request());
  const admitted = (): number[] => requests.map(({ done }) => done.mock.calls.length);
  expect(admitted()).toEqual([1, 1, 0, 0, 0]);
  // A response that was read, but is not sent yet, still counts.
  requests[0]?.sized(2 * MIB);
  expect(admitted()).toEqual([1, 1, 0, 0, 0]);
  if (requests[1]) close(requests[1].response);
  expect(admitted()).toEqual([1, 1, 1, 0, 0]);
  // A response that is smaller than expected makes room as soon as that is known.
  requests[0]?.sized(0);
  requests[2]?.sized(0);
  expect(admitted()).toEqual([1, 1, 1, 1, 1]);
  expect(requests.every(({ done }) => done.mock.calls[0]?.[0] === undefined)).toBe(true);
});

it('delays neither another tenant nor small responses', () => {
  const { request, learn } = budgetOf(4 * MIB);
  learn(2 * MIB);
  learn(100, 'GET /v1/pages 1');
  const large = Array.from({ length: 4 }, () => request());
  expect(large[3]?.done).not.toHaveBeenCalled();
  expect(request('b').done).toHaveBeenCalledTimes(1);
  for (let n = 0; n < 100; n++) expect(request('a', 'GET /v1/pages 1').done).toHaveBeenCalledTimes(1);
});

it('limits requests whose size is not known yet', () => {
  const { request } = budgetOf(4 * MIB);
  const requests = Array.from({ length: 100 }, () => request());
  const admitted = requests.filter(({ done }) => done.mock.calls.length > 0);
  expect(admitted).toHaveLength(4);
  for (const { sized } of admitted) sized(2 * MIB);
  for (const { response } of admitted.slice(0, 3)) close(response);
  expect(requests.filter(({ done }) => done.mock.calls.length > 0).length).toBeLessThanOrEqual(6);
});

it('rejects a request that has waited too long, and not the next one', () => {
  const { request, learn } = budgetOf(2 * MIB);
  learn(2 * MIB);
  const slow = request();
  const second = request();
  jest.advanceTimersByTime(999);
  expect(second.done).not.toHaveBeenCalled();
  jest.advanceTimersByTime(1);
  expect(second.done).toHaveBeenCalledTimes(1);
  expect(second.done.mock.calls[0]?.[0]).toMatchObject({
    problem: { status: 503, code: 'too_many_large_responses', retryAfterSeconds: 1 },
  });
  const third = request();
  close(slow.response);
  expect(third.done.mock.calls).toEqual([[]]);
  expect(jest.getTimerCount()).toBe(0);
});

it('forgets a request whose client has left', () => {
  const { request, learn } = budgetOf(2 * MIB);
  learn(2 * MIB);
  const first = request();
  const second = request();
  const third = request();
  close(second.response);
  close(first.response);
  expect(second.done).not.toHaveBeenCalled();
  expect(third.done).toHaveBeenCalledTimes(1);
  // The response of a request whose client left while it was processed reserves nothing.
  first.sized(2 * MIB);
  close(third.response);
  expect(request().done).toHaveBeenCalledTimes(1);
});

it('sends a response that is larger than the budget when no other one is in progress', () => {
  const { request, learn } = budgetOf(MIB);
  learn(8 * MIB);
  const first = request();
  const second = request();
  expect([first, second].map(({ done }) => done.mock.calls.length)).toEqual([1, 0]);
  close(first.response);
  expect(second.done).toHaveBeenCalledTimes(1);
});

it('admits more at once again when responses have become small', () => {
  const { request, learn } = budgetOf(4 * MIB);
  learn(4 * MIB);
  for (let n = 0; n < 100; n++) learn(100);
  const requests = Array.from({ length: 100 }, () => request());
  expect(requests.every(({ done }) => done.mock.calls.length === 1)).toBe(true);
});

it('limits the rate of large responses, however quickly the client reads them', () => {
  const { request, learn } = budgetOf(2 * MIB, 4 * MIB);
  learn(2 * MIB);
  jest.advanceTimersByTime(500);
  const first = request();
  const second = request();
  jest.advanceTimersByTime(200);
  first.sized(2 * MIB);
  close(first.response);
  jest.advanceTimersByTime(299);
  expect(second.done).not.toHaveBeenCalled();
  jest.advanceTimersByTime(1);
  expect(second.done.mock.calls).toEqual([[]]);
});
