import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { BodyBudget } from './body-budget.js';

const MIB = 2 ** 20;

const newResponse = (): ServerResponse => new ServerResponse(new IncomingMessage(new Socket()));

function budgetOf(maxBytes: number) {
  const budget = new BodyBudget(maxBytes);
  return (tenantId: string, ...sizes: number[]): ServerResponse => {
    const response = newResponse();
    const hold = budget.open(tenantId, response);
    for (const bytes of sizes) hold(bytes);
    return response;
  };
}

it('refuses bodies beyond the budget of a tenant, until earlier requests have ended', () => {
  const take = budgetOf(10 * MIB);
  const first = take('a', 6 * MIB);
  take('a', 4 * MIB);
  expect(() => take('a', 1)).toThrow(
    expect.objectContaining({
      problem: expect.objectContaining({ status: 503, code: 'too_many_large_bodies' }) as unknown,
    }),
  );
  take('b', 10 * MIB);
  first.emit('close');
  expect(take('a', 6 * MIB)).toBeDefined();
  expect(() => take('a', 1)).toThrow();
});

it('counts a body that arrives in parts', () => {
  const take = budgetOf(10 * MIB);
  const first = take('a', 2 * MIB, 3 * MIB, MIB);
  expect(() => take('a', 3 * MIB, 3 * MIB)).toThrow();
  expect(() => take('a', 3 * MIB)).toThrow();
  first.emit('close');
  expect(take('a', 7 * MIB)).toBeDefined();
});

it('accepts a single body that is larger than the budget', () => {
  const take = budgetOf(MIB);
  const only = take('a', MIB, MIB);
  expect(() => take('a', 1)).toThrow();
  only.emit('close');
  expect(take('a', 2 * MIB)).toBeDefined();
});

it.each(['the response', 'its connection'])('counts no request after %s was closed', (what) => {
  const budget = new BodyBudget(MIB);
  const response = newResponse();
  if (what === 'the response') response.destroyed = true;
  else response.req.socket.destroy();
  budget.open('a', response)(MIB);
  budget.open('a', newResponse())(MIB);
  expect(() => {
    budget.open('a', newResponse())(1);
  }).toThrow();
});
