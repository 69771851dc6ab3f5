import type { PlanLimits } from '../config/index.js';
import type { Logger } from '../logging/index.js';
import { ProblemError } from '../http/index.js';
import { Quotas } from './quotas.js';
import { allFeatures, type TenantIdentity, type Usage } from './tenant.types.js';

const acme: TenantIdentity = { tenantId: 'acme', name: 'Acme', plan: 'free', features: allFeatures };

function quotasOf(limits: { bytes?: PlanLimits; documents?: PlanLimits }) {
  const clock = { time: 1_000_000, now: (): number => clock.time };
  const state = { stored: { bytes: 0, documents: 0 }, error: undefined as Error | undefined, tookMs: 1 };
  const measured = jest.fn(async (_tenantId: string): Promise<Usage> => {
    await Promise.resolve();
    clock.time += state.tookMs;
    if (state.error) throw state.error;
    return { ...state.stored };
  });
  const warn = jest.fn();
  const quotas = new Quotas(
    { bytes: limits.bytes ?? {}, documents: limits.documents ?? {} },
    measured,
    clock,
    { warn } as unknown as Logger,
  );
  /** Returns `accepted` or the code of the problem, once a measurement that it caused has ended. */
  const send = async (bytes: number, tenant = acme): Promise<string> => {
    try {
      quotas.check(tenant);
      quotas.addBytes(tenant, bytes);
      return 'accepted';
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      return `${error.problem.status} ${error.problem.code}`;
    } finally {
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { quotas, clock, state, measured, warn, send };
}

it('does not measure tenants of plans without limits', async () => {
  const { send, measured } = quotasOf({ bytes: { free: 100 } });
  expect(await send(1000, { ...acme, plan: 'pro' })).toBe('accepted');
  expect(measured).not.toHaveBeenCalled();
});

it.each([
  ['bytes', { bytes: 1000, documents: 1 }],
  ['documents', { bytes: 1, documents: 1000 }],
] as const)(
  'refuses writes of a tenant that has stored too many %s, and says so once',
  async (kind, stored) => {
    const { send, state, warn } = quotasOf({ [kind]: { free: 1000 } });
    state.stored = stored;
    // The first request is not delayed by the measurement.
    expect(await send(1)).toBe('accepted');
    expect(await send(1)).toBe('507 quota_exceeded');
    expect(await send(1)).toBe('507 quota_exceeded');
    expect(warn).toHaveBeenCalledTimes(1);
  },
);

it('repeats a first measurement that fails only after five times its duration', async () => {
  const { send, clock, state, measured } = quotasOf({ bytes: { free: 1000 } });
  state.error = new Error('overloaded');
  state.tookMs = 2000;
  for (let n = 0; n < 10; n++) await send(1);
  expect(measured).toHaveBeenCalledTimes(1);
  clock.time += 8001;
  await send(1);
  expect(measured).toHaveBeenCalledTimes(2);
});

it('names the limits and the usage', async () => {
  const { send, state, quotas } = quotasOf({ bytes: { free: 1000 }, documents: { free: 10 } });
  state.stored = { bytes: 1200, documents: 7 };
  await send(1);
  expect(() => quotas.check(acme)).toThrow(
    'The plan "free" allows 1000 bytes and 10 documents; 1200 bytes in 7 documents are stored.',
  );
});

it('measures again after a twentieth of a limit was sent, and after an hour', async () => {
  const { send, clock, measured } = quotasOf({ bytes: { free: 1000 }, documents: { free: 100 } });
  await send(1);
  expect(measured).toHaveBeenCalledTimes(1);
  clock.time += 60_000;
  await send(50);
  expect(measured).toHaveBeenCalledTimes(1);
  await send(1);
  expect(measured).toHaveBeenCalledTimes(2);
  clock.time += 60_000;
  for (let n = 0; n < 6; n++) await send(0);
  expect(measured).toHaveBeenCalledTimes(3);
  clock.time += 3_600_001;
  await send(0);
  expect(measured).toHaveBeenCalledTimes(4);
});

it('accepts writes again after deletions, and at once after a change of the plan', async () => {
  const { send, clock, state } = quotasOf({ bytes: { free: 1000, pro: 5000 } });
  state.stored = { bytes: 1000, documents: 1 };
  await send(1);
  expect(await send(1)).toBe('507 quota_exceeded');
  expect(await send(1, { ...acme, plan: 'pro' })).toBe('accepted');
  state.stored = { bytes: 10, documents: 1 };
  expect(await send(1)).toBe('507 quota_exceeded');
  clock.time += 5001;
  // Starts the measurement.
  expect(await send(1)).toBe('507 quota_exceeded');
  expect(await send(1)).toBe('accepted');
});

it('spends at most a fifth of the time on measuring', async () => {
  const { send, clock, state, measured } = quotasOf({ bytes: { free: 1000 } });
  state.tookMs = 30_000;
  await send(1);
  clock.time += 119_000;
  await send(900);
  expect(measured).toHaveBeenCalledTimes(1);
  clock.time += 1000;
  await send(1);
  expect(measured).toHaveBeenCalledTimes(2);
});

it('keeps the last usage if a measurement fails', async () => {
  const { send, clock, state, warn } = quotasOf({ bytes: { free: 1000 } });
  state.stored = { bytes: 1000, documents: 1 };
  await send(1);
  state.error = new Error('no connection');
  clock.time += 5001;
  expect(await send(1)).toBe('507 quota_exceeded');
  expect(await send(1)).toBe('507 quota_exceeded');
  expect(warn).toHaveBeenLastCalledWith(
    { tenantId: 'acme', error: 'no connection' },
    'the usage of the tenant could not be measured',
  );
});
