import { LoginLimiter, MAX_FAILURES } from './login-limiter.js';

describe('LoginLimiter', () => {
  let now: number;
  let limiter: LoginLimiter;
  const fail = (address: string, times: number): void => {
    for (let i = 0; i < times; i++) limiter.failed(address);
  };

  beforeEach(() => {
    now = 5000;
    limiter = new LoginLimiter(() => now);
  });

  it('blocks an address for the rest of the minute after too many failures', () => {
    fail('10.0.0.1', MAX_FAILURES - 1);
    expect(limiter.waitSeconds('10.0.0.1')).toBe(0);
    now += 20_000;
    fail('10.0.0.1', 1);
    expect(limiter.waitSeconds('10.0.0.1')).toBe(40);
    now += 39_999;
    expect(limiter.waitSeconds('10.0.0.1')).toBe(1);
    now += 1;
    expect(limiter.waitSeconds('10.0.0.1')).toBe(0);
  });

  it('counts addresses separately', () => {
    fail('10.0.0.1', MAX_FAILURES);
    expect(limiter.waitSeconds('10.0.0.2')).toBe(0);
  });
});
