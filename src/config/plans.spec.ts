import { planLimits } from './plans.js';

describe('limits of plans', () => {
  it.each([
    ['', {}],
    ['free=1000', { free: 1000 }],
    [' free = 0 , enterprise=53687091200', { free: 0, enterprise: 53_687_091_200 }],
  ])('reads "%s"', (text, expected) => {
    expect(planLimits.parse(text)).toEqual(expected);
  });

  it.each(['1000', 'gold=1', 'free=-1', 'free=1.5', 'free=1GB', 'free=1,free=2', 'toString=1'])(
    'refuses "%s", naming the plans',
    (text) => {
      expect(planLimits.safeParse(text).error?.issues[0]?.message).toContain('free, pro, enterprise');
    },
  );
});
