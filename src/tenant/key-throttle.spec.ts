import type { Logger } from '../logging/index.js';
import { KeyThrottle } from './key-throttle.js';

const LIMIT = 5;

describe('KeyThrottle', () => {
  let now: number;
  let throttle: KeyThrottle;
  const warn = jest.fn();
  const throttleOf = (perMinute: number): KeyThrottle =>
    new KeyThrottle(perMinute, { now: () => now }, { warn } as unknown as Logger);
  const guess = (address: string, times: number): number => {
    let wait = 0;
    for (let i = 0; i < times; i++) wait = throttle.wrongKey(address);
    return wait;
  };

  beforeEach(() => {
    now = 5000;
    warn.mockClear();
    throttle = throttleOf(LIMIT);
  });

  it('lets an address wait for the rest of the minute after too many wrong keys', () => {
    expect(guess('192.0.2.1', 1)).toBe(0);
    now += 20_000;
    expect(guess('192.0.2.1', LIMIT - 1)).toBe(0);
    expect(guess('192.0.2.1', 1)).toBe(40);
    now += 39_999;
    expect(guess('192.0.2.1', 1)).toBe(1);
    now += 1;
    expect(guess('192.0.2.1', LIMIT)).toBe(0);
    expect(guess('192.0.2.1', 1)).toBe(60);
  });

  it('limits the guesses of a persistent address to `perMinute`', () => {
    let answered = 0;
    for (let second = 0; second < 600; second++, now += 1000)
      for (let i = 0; i < 10; i++) if (throttle.wrongKey('192.0.2.1') === 0) answered++;
    expect(answered).toBe(10 * LIMIT);
    expect(throttle.counts).toEqual({ wrong: answered, throttled: 6000 - answered });
  });

  it('counts addresses separately, and those of an IPv6 network together', () => {
    guess('192.0.2.1', LIMIT);
    expect(guess('192.0.2.2', 1)).toBe(0);
    for (let i = 0; i < LIMIT; i++) throttle.wrongKey(`2001:db8::${i}`);
    expect(throttle.wrongKey('2001:db8::ffff')).toBe(60);
    expect(throttle.wrongKey('2001:db8:1::1')).toBe(0);
  });

  it('does not accept the right admin key from a throttled address, so that guessing cannot go on', () => {
    guess('192.0.2.1', LIMIT);
    expect(throttle.adminKey('192.0.2.1')).toBe(60);
    now += 60_000;
    expect(throttle.adminKey('192.0.2.1')).toBe(0);
  });

  it('accepts the admin key from a throttled address from which it was accepted before', () => {
    expect(throttle.adminKey('192.0.2.1')).toBe(0);
    expect(guess('192.0.2.1', LIMIT + 1)).toBe(60);
    expect(throttle.adminKey('192.0.2.1')).toBe(0);
    guess('192.0.2.2', LIMIT);
    expect(throttle.adminKey('192.0.2.2')).toBe(60);
  });

  it('accepts the admin key of a signed-in operator from any address', () => {
    guess('192.0.2.1', LIMIT);
    expect(throttle.adminKey('192.0.2.1', true)).toBe(0);
  });

  it('logs one warning for each throttled minute of an address', () => {
    guess('192.0.2.1', 10 * LIMIT);
    expect(warn.mock.calls).toEqual([[{ address: '192.0.2.1', wrongKeys: LIMIT }, expect.any(String)]]);
    now += 60_000;
    guess('192.0.2.1', 10 * LIMIT);
    expect(warn).toHaveBeenCalledTimes(2);
  });

  it('forgets no accepted address, however many addresses send wrong keys', () => {
    throttle.adminKey('192.0.2.1');
    guess('192.0.2.1', LIMIT);
    for (let i = 0; i < 20_000; i++) throttle.wrongKey(`10.0.${i >> 8}.${i & 255}`);
    guess('192.0.2.1', LIMIT);
    expect(throttle.adminKey('192.0.2.1')).toBe(0);
  });

  it('limits nothing when it is switched off', () => {
    throttle = throttleOf(0);
    expect(guess('192.0.2.1', 1000)).toBe(0);
    expect(throttle.adminKey('192.0.2.1')).toBe(0);
    expect(warn).not.toHaveBeenCalled();
  });
});
