import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { BodyBudget } from './body-budget.js';

const MIB = 2 ** 20;

function budgetOf(maxBytes: number) {
  const budget = new BodyBudget(maxBytes);
  return (tenantId: string, headers: Record<string, string>): ServerResponse => {
    const response = new ServerResponse(new IncomingMessage(new Socket()));
    budget.take(tenantId, { headers }, response);
    return response;
  };
}
const ofSize = (bytes: number): Record<string, string> => ({ 'content-length': String(bytes) });

it('refuses bodies beyond the budget of a tenant, until earlier requests have ended', () => {
  const take = budgetOf(10 * MIB);
  const first = take('a', ofSize(6 * MIB));
  take('a', ofSize(4 * MIB));
  expect(() => take('a', ofSize(100_000))).toThrow(
    expect.objectContaining({
      problem: expect.objectContaining({ status: 503, code: 'too_many_large_bodies' }) as unknown,
    }),
  );
  take('b', ofSize(10 * MIB));
  for (let n = 0; n < 100; n++) take('a', ofSize(1000));
  first.emit('close');
  expect(take('a', ofSize(6 * MIB))).toBeDefined();
  expect(() => take('a', ofSize(100_000))).toThrow();
});

it('accepts a single body that is larger than the budget', () => {
  const take = budgetOf(MIB);
  const only = take('a', ofSize(2 * MIB));
  expect(() => take('a', ofSize(2 * MIB))).toThrow();
  only.emit('close');
  expect(take('a', ofSize(2 * MIB))).toBeDefined();
});

it('does not count a request whose client has disconnected', () => {
  const budget = new BodyBudget(MIB);
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  response.destroyed = true;
  budget.take('a', { headers: ofSize(MIB) }, response);
  expect(() => {
    budget.take('a', { headers: ofSize(MIB) }, new ServerResponse(new IncomingMessage(new Socket())));
  }).not.toThrow();
});

it('counts bodies that do not announce their size, and no requests without a body', () => {
  const take = budgetOf(3 * MIB);
  for (let n = 0; n < 10; n++) take('a', {});
  for (let n = 0; n < 3; n++) take('a', { 'transfer-encoding': 'chunked' });
  expect(() => take('a', { 'transfer-encoding': 'chunked' })).toThrow();
});
