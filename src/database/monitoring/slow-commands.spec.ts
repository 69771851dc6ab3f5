import { createLogger } from '../../logging/index.js';
import type { QueryPlan } from '../query-plan.js';
import { type SlowCommand, SlowCommands } from './slow-commands.js';

const plan: QueryPlan = { stages: ['FETCH', 'IXSCAN'], indexes: ['a_1'], collectionScan: false };

const slowFind = (collection: string, value: unknown = 'secret'): SlowCommand => ({
  name: 'find',
  databaseName: 'colloquy',
  command: { find: collection, filter: { tenantId: value } },
  durationMs: 250.4,
  ok: true,
});

function slowCommandsWith(answer: () => Promise<QueryPlan | undefined> = () => Promise.resolve(plan)) {
  const clock = { now: 0 };
  const logger = createLogger({ level: 'silent', pretty: false });
  const lines: Record<string, unknown>[] = [];
  jest
    .spyOn(logger, 'warn')
    .mockImplementation((line: unknown) => void lines.push(line as Record<string, unknown>));
  const explain = jest.fn(answer);
  return { slow: new SlowCommands({ logger, explain, now: () => clock.now }), clock, lines, explain };
}

describe('SlowCommands', () => {
  it('logs route, tenant, request id, shape and plan, and no value', async () => {
    const { slow, lines } = slowCommandsWith();
    await slow.note(slowFind('messages'), { requestId: 'r-1', tenantId: 'acme', route: '/v1/messages' });
    expect(lines).toEqual([
      {
        requestId: 'r-1',
        tenantId: 'acme',
        route: '/v1/messages',
        command: 'find',
        shape: 'find messages { tenantId: ? }',
        durationMs: 250,
        ok: true,
        plan,
      },
    ]);
    expect(JSON.stringify(lines)).not.toContain('secret');
  });

  it('requests the plan of a shape once a minute, and logs the last known one in between', async () => {
    const { slow, clock, lines, explain } = slowCommandsWith();
    for (const at of [0, 1000, 59_999]) {
      clock.now = at;
      await slow.note(slowFind('messages', at), undefined);
    }
    expect(explain).toHaveBeenCalledTimes(1);
    expect(lines.map((line) => line['plan'])).toEqual([plan, plan, plan]);
    await slow.note(slowFind('sessions'), undefined);
    expect(explain).toHaveBeenCalledTimes(2);
    clock.now = 60_000;
    await slow.note(slowFind('messages'), undefined);
    expect(explain).toHaveBeenCalledTimes(3);
  });

  it('requests at most 20 plans per minute, regardless of the number of shapes', async () => {
    const { slow, clock, explain } = slowCommandsWith();
    for (let number = 0; number < 50; number++) {
      clock.now = number * 1000;
      await slow.note(slowFind(`collection${number}`), undefined);
    }
    expect(explain).toHaveBeenCalledTimes(20);
  });

  it('logs at most 20 lines a second, and how many it left out', async () => {
    const { slow, clock, lines } = slowCommandsWith();
    for (let number = 0; number < 100; number++) await slow.note(slowFind('messages'), undefined);
    expect(lines).toHaveLength(20);
    clock.now = 1000;
    await slow.note(slowFind('messages'), undefined);
    expect(lines.at(-1)).toMatchObject({ unlogged: 80 });
  });

  it('logs a command without a plan if it cannot be explained', async () => {
    const { slow, lines } = slowCommandsWith(() => Promise.reject(new Error('away')));
    await slow.note(slowFind('messages'), undefined);
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toHaveProperty('plan');
  });
});
