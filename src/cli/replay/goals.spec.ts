import { finalGoals, goalDifferences, goalsAfter } from './goals.js';

const entry = (service: string, intent: string, slots: Record<string, unknown> = {}) => ({
  service,
  intent,
  slots,
});

describe('goalsAfter', () => {
  it('replaces the slots of a known goal and adds an unknown one', () => {
    const first = goalsAfter([], [entry('Cafe_1', 'Order', { size: 'big' })]);
    const second = goalsAfter(first, [entry('Cafe_1', 'Order', { size: 'small' }), entry('Taxi_1', 'NONE')]);
    expect(second).toEqual([
      { type: 'Cafe_1/Order', slots: { size: 'small' } },
      { type: 'Taxi_1/NONE', slots: {} },
    ]);
  });

  it('keeps a goal that the state no longer mentions', () => {
    const goals = goalsAfter([{ type: 'Cafe_1/Order', slots: { size: 'big' } }], [entry('Taxi_1', 'Ride')]);
    expect(goals.map(({ type }) => type)).toEqual(['Cafe_1/Order', 'Taxi_1/Ride']);
  });

  it('uses the last of two entries of the same type', () => {
    const goals = goalsAfter(
      [],
      [entry('Cafe_1', 'Order', { size: 'big' }), entry('Cafe_1', 'Order', { size: 'tiny' })],
    );
    expect(goals).toEqual([{ type: 'Cafe_1/Order', slots: { size: 'tiny' } }]);
  });
});

describe('finalGoals', () => {
  it('merges the states of all user turns and skips turns without one', () => {
    expect(
      finalGoals([
        { role: 'user', content: 'a', state: [entry('Cafe_1', 'Order', { size: 'big' })] },
        { role: 'assistant', content: 'b' },
        { role: 'user', content: 'c', state: [entry('Cafe_1', 'Order', { size: 'big', milk: 'no' })] },
        { role: 'user', content: 'd' },
      ]),
    ).toEqual([{ type: 'Cafe_1/Order', slots: { size: 'big', milk: 'no' } }]);
  });
});

describe('goalDifferences', () => {
  const order = { type: 'Cafe_1/Order', slots: { size: 'big' } };
  const ride = { type: 'Taxi_1/Ride', slots: {} };

  it('ignores the order of goals', () => {
    expect(goalDifferences([order, ride], [ride, order])).toEqual([]);
  });

  it.each([
    ['missing', [order], [], 'goal Cafe_1/Order exists 0 times instead of once'],
    ['doubled', [order], [order, order], 'goal Cafe_1/Order exists 2 times instead of once'],
    [
      'changed',
      [order],
      [{ ...order, slots: { size: 'small' } }],
      'has slots {"size":"small"} instead of {"size":"big"}',
    ],
    ['unknown', [], [ride], 'goal Taxi_1/Ride was never set'],
  ])('reports a %s goal', (_kind, expected, found, message) => {
    expect(goalDifferences(expected, found)).toEqual([expect.stringContaining(message)]);
  });
});
